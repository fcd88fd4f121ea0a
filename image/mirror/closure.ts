import { openObjectReader } from "../git/objects.ts";
import { openStoredIndex, type PackIndex } from "../git/pack-index.ts";
import { references } from "../git/references.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { GitError, StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";

/** Reads the index of a pack of the mirror. @throws StoreError where it is not that pack's */
export async function readIndex(objects: ObjectStore, pack: string): Promise<PackIndex> {
  const name = `objects/pack/${pack}.idx`;
  const index = openStoredIndex(Buffer.concat(await Array.fromAsync(objects.read(name))));
  if (index && pack === `pack-${index.packHash}`) return index;
  throw new StoreError(
    "mirror-damaged",
    `${objects.address(name)} is not the index of this pack.`,
    "Nothing was published. Restore it from the bucket's versions; verify shows more.",
  );
}

/**
 * Proves that a mirror stays whole with the pack in the scratch repository: each id that its commits, trees and tags name,
 * and each wanted one, is in this pack or in an earlier one. As that held for each earlier pack, everything is there.
 * @throws GitError where an object is missing
 */
export async function proveClosure(
  scratch: ScratchRepository,
  pack: PackIndex,
  earlier: readonly PackIndex[],
  wanted: readonly string[],
): Promise<void> {
  const isThere = (id: string) => pack.has(id) || earlier.some((index) => index.has(id));
  for (const id of wanted) if (!isThere(id)) throw incomplete(id);
  await using reader = openObjectReader(scratch);
  for await (const id of references(scratch, reader)) if (!isThere(id)) throw incomplete(id);
}

export const incomplete = (id: string) =>
  new GitError(
    "pack-incomplete",
    `The host's answer lacks the object ${id}, which a new object needs.`,
    "Nothing was published. The next run asks again; if it lasts, have the host's repository repaired (git fsck).",
  );
