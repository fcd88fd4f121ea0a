import { type AttributesFile, findAttributes } from "../git/attributes.ts";
import { isBlob, streamChanges } from "../git/changes.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { type IdSet, idSet } from "../lib/id-set.ts";
import { settleAll } from "../lib/settle.ts";
import { type Attempt, receive } from "./source.ts";

/** Some servers limit the size of a request to a megabyte. */
const idsPerRequest = 20_000;

/** After so many changes, their memory is freed. Bun alone would let it grow. */
const changesBetweenCollections = 50_000;

/** What a diff needs besides the two commits and their folders. */
export interface NeededFiles {
  readonly ids: IdSet;
  /** The `.gitattributes` that shape the diff, and what else was asked for. Their ids are among the ids. */
  readonly attributes: readonly AttributesFile[];
}

/** Lists the files that the diff between two commits shows. @param also names files at the top of `to` @throws GitError */
export async function listNeededFiles(
  scratch: ScratchRepository,
  from: string,
  to: string,
  also: readonly string[],
): Promise<NeededFiles> {
  const ids = idSet();
  const listChanges = async () => {
    let changes = 0;
    // Also of files whose mode alone changed: the diff reads them.
    for await (const change of streamChanges(scratch, from, to)) {
      if (isBlob(change.modeBefore)) ids.add(change.idBefore);
      if (isBlob(change.modeAfter)) ids.add(change.idAfter);
      if (++changes % changesBetweenCollections === 0) Bun.gc(true);
    }
  };
  const [, found] = await settleAll(listChanges(), findAttributes(scratch, to, also));
  for (const { id } of found) ids.add(id);
  return { ids, attributes: found };
}

/** Fetches files by their ids. @throws GitError, LimitError */
export async function fetchFiles(attempt: Attempt, ids: IdSet): Promise<void> {
  let want: string[] = [];
  for (const id of ids.drain()) {
    want.push(id);
    if (want.length < idsPerRequest) continue;
    await receive(attempt, { want });
    want = [];
    Bun.gc(true); // As above.
  }
  if (want.length > 0) await receive(attempt, { want });
}
