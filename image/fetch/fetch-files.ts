import { type AttributesFile, findAttributes, writeAttributes } from "../git/attributes.ts";
import { isBlob, streamChanges } from "../git/changes.ts";
import { idSet } from "../lib/id-set.ts";
import { type Attempt, receive } from "./source.ts";

/** Some servers limit the size of a request to a megabyte. */
const idsPerRequest = 20_000;

/**
 * Fetches the files that the diff between two commits shows, and the `.gitattributes` that shape it.
 * @throws GitError, LimitError
 */
export async function fetchFiles(attempt: Attempt, from: string, to: string): Promise<AttributesFile[]> {
  const ids = idSet();
  const [attributes] = await Promise.all([
    findAttributes(attempt.scratch, to),
    (async () => {
      // Also of files whose mode alone changed: the diff reads them.
      for await (const change of streamChanges(attempt.scratch, from, to)) {
        if (isBlob(change.modeBefore)) ids.add(change.idBefore);
        if (isBlob(change.modeAfter)) ids.add(change.idAfter);
      }
    })(),
  ]);
  for (const { id } of attributes) ids.add(id);
  let want: string[] = [];
  for (const id of ids.values()) {
    want.push(id);
    if (want.length < idsPerRequest) continue;
    await receive(attempt, { want });
    want = [];
  }
  if (want.length > 0) await receive(attempt, { want });
  return attributes;
}

/** Writes the `.gitattributes` of a commit whose files are all here. @throws GitError */
export async function checkOutAttributes({ scratch, objects }: Attempt, commit: string): Promise<void> {
  await writeAttributes(scratch, objects, await findAttributes(scratch, commit));
}
