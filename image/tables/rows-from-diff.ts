import { lineReader } from "../diff/sections.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type FileRow, readFileRows } from "./file-rows.ts";
import type { StepRows } from "./rows-file.ts";

/**
 * Makes the rows of a step without any from its stored diff. It contains neither commits nor the repository's
 * `.gitattributes`, so there are no rows of commits. @throws StoreError
 */
export async function rowsFromDiff(objects: ObjectStore, diff: string): Promise<StepRows> {
  const files: FileRow[] = [];
  const reader = readFileRows((row) => files.push(row));
  const read = lineReader(reader);
  for await (const chunk of objects.read(diff)) read(chunk);
  reader.end();
  return { commits: [], files };
}
