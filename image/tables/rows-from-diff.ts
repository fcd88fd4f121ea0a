import { lineReader } from "../diff/sections.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type FileRow, type HunkRow, readFileRows } from "./file-rows.ts";
import type { StepRows } from "./rows-file.ts";

/**
 * Streams the rows of a step without any, made from its stored diff. It contains neither commits nor the repository's
 * `.gitattributes`, so there are no rows of commits. @throws StoreError
 */
export async function* rowsFromDiff(objects: ObjectStore, diff: string): AsyncGenerator<StepRows> {
  let [files, hunks]: [FileRow[], HunkRow[]] = [[], []];
  const reader = readFileRows(
    (row) => files.push(row),
    (row) => hunks.push(row),
  );
  const read = lineReader(reader);
  for await (const chunk of objects.read(diff)) {
    read(chunk);
    yield { commits: [], files, hunks };
    [files, hunks] = [[], []];
  }
  reader.end();
  yield { commits: [], files, hunks };
}
