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
  /** Makes the rows of a step without any anew; undefined where its host has it no more. @throws GitError, StoreError, LimitError */
  rowsAgain?(record: CompleteStep): Promise<AsyncIterable<StepRows> | undefined>;
}

/** Reads the complete steps behind a number. @throws StoreError */
export async function readSteps(
  { name: repository, objects, keyOf, last }: TableRepository,
  after: number,
): Promise<TableStep[]> {
  if (last !== undefined && last <= after) return [];
  const steps: TableStep[] = [];
  for await (const { text } of readRecordTexts(objects, { after: recordName(after) })) {
    // A record without a text was deleted meanwhile.
    const record = text === "" ? undefined : parseRecord(text);
    if (record?.state === "complete")
      steps.push({ repository, record, diffKey: record.diff && keyOf(record.diff) });
  }
  return steps;
}
