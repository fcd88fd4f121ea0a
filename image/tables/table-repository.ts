import { isRecordName, parseRecord, recordName, recordPrefix } from "../chain/record.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
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
}

const readAtOnce = 16;

/** Reads the complete steps behind a number. @throws StoreError */
export async function readSteps(
  { name: repository, objects, keyOf, last }: TableRepository,
  after: number,
): Promise<TableStep[]> {
  if (last !== undefined && last <= after) return [];
  const names: string[] = [];
  for await (const { name } of objects.list(recordPrefix, recordName(after)))
    if (isRecordName(name)) names.push(name);
  const texts = await inParallel(names, readAtOnce, (name) => objects.get(name));
  return texts.flatMap((stored): TableStep[] => {
    const record = stored && parseRecord(stored.text);
    if (record?.state !== "complete") return [];
    return [{ repository, record, diffKey: record.diff && keyOf(record.diff) }];
  });
}
