import { inOrder } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { isRecordName, recordPrefix } from "./record.ts";

/** A record's name and content, which is empty where it was deleted meanwhile. */
export interface RecordText {
  readonly name: string;
  readonly text: string;
}

/** S3 serves many small objects as fast as one. */
const readAtOnce = 48;

/** Returns the names of the records behind `after`, in their order. @throws StoreError */
export async function listRecords(objects: ObjectStore, after?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of objects.list(recordPrefix, after)) if (isRecordName(name)) names.push(name);
  return names;
}

/** Reads records by name, up to `last`: many at a time, and no more of them ahead. @throws StoreError */
export async function* readRecordTexts(
  objects: ObjectStore,
  { after, last }: { readonly after?: string | undefined; readonly last?: string | undefined } = {},
): AsyncGenerator<RecordText, void, void> {
  const names = await listRecords(objects, after);
  const wanted = last === undefined ? names : names.filter((name) => name <= last);
  yield* inOrder(wanted, readAtOnce, async (name) => ({
    name,
    text: (await objects.get(name))?.text ?? "",
  }));
}
