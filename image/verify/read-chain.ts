import { isDiffName, isRecordName, parseRecord, recordPrefix, type StepRecord } from "../chain/record.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";

/** An object in `_steps/`: its record, or the reason why it is none. */
export interface StoredRecord {
  readonly name: string;
  readonly record: StepRecord | undefined;
  readonly reason?: string;
  /** When the store deletes it by itself, as far as that is known. */
  readonly expires?: Date;
}

/** The number of objects read at a time. S3 serves many as fast as one. */
export const readsAtOnce = 48;

export type OnProgress = (line: string) => void;

/** Reads all records by name, invalid ones included, and without those that are deleted meanwhile. @throws StoreError */
export async function readRecords(
  objects: ObjectStore,
  onProgress: OnProgress,
  isWanted: (name: string) => boolean = () => true,
): Promise<StoredRecord[]> {
  const names: string[] = [];
  for await (const { name } of objects.list(recordPrefix)) {
    if (isRecordName(name) && isWanted(name)) names.push(name);
  }
  let read = 0;
  const records = await inParallel(names.sort(), readsAtOnce, async (name): Promise<StoredRecord[]> => {
    const object = await objects.get(name);
    onProgress(`Reading records: ${++read} of ${names.length}`);
    if (object === undefined) return [];
    const { text, expires } = object;
    try {
      return [{ name, record: parseRecord(text), expires }];
    } catch (error) {
      return [{ name, record: undefined, reason: reasonOf(error as Error), expires }];
    }
  });
  return records.flat();
}

/** Returns the reason in one line. zod's errors have one for each field. */
function reasonOf(error: Error & { issues?: { path: PropertyKey[]; message: string }[] }): string {
  const issues = error.issues?.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  return (issues ?? error.message).replace(/\s+/g, " ").slice(0, 200);
}

/** Returns the size of every diff at the destination, by name. @throws StoreError */
export async function listDiffs(objects: ObjectStore): Promise<Map<string, number>> {
  const diffs = new Map<string, number>();
  // The name of a diff begins with its year. Nothing else at the destination needs to be listed.
  for (const millennium of ["1", "2"]) {
    for await (const { name, bytes } of objects.list(millennium)) {
      if (isDiffName(name)) diffs.set(name, bytes);
    }
  }
  return diffs;
}
