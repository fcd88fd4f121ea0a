import { type CompleteStep, parseRecord, recordName } from "../chain/record.ts";
import { readRecordTexts } from "../chain/record-texts.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { StepRows } from "./rows-file.ts";
import type { TableStep } from "./step-row.ts";

/** A repository whose steps are in the tables. */
export interface TableRepository {
  readonly name: string;
  /** Its records, rows and diffs. */
  readonly objects: ObjectStore;
  /** Returns the whole key of one of its objects. */
  keyOf(name: string): string;
  /** The number of its newest step; undefined where it is not known. */
  readonly last?: number | undefined;
  /** Its newest steps in their order, as far as a run has just completed them. */
  readonly completed?: readonly CompleteStep[] | undefined;
  /** Makes the rows of a step without any anew; undefined where its host has it no more. @throws GitError, StoreError, LimitError */
  rowsAgain?(record: CompleteStep): Promise<AsyncIterable<StepRows> | undefined>;
}

/** Reads the complete steps behind a number, unless they are known. @throws StoreError */
export async function readSteps(
  { name: repository, objects, keyOf, last, completed }: TableRepository,
  after: number,
): Promise<TableStep[]> {
  const toStep = (record: CompleteStep) => ({
    repository,
    record,
    diffKey: record.diff && keyOf(record.diff),
  });
  const before = after === 0 ? null : recordName(after);
  if (completed?.[0]?.previous === before) return completed.map(toStep);
  if (last !== undefined && last <= after) return [];
  const steps: TableStep[] = [];
  for await (const { text } of readRecordTexts(objects, { after: recordName(after) })) {
    // A record without a text was deleted meanwhile.
    const record = text === "" ? undefined : parseRecord(text);
    if (record?.state === "complete") steps.push(toStep(record));
  }
  return steps;
}
