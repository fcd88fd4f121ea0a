import type { ObjectStore } from "../stores/stores.ts";
import { type Ancestry, descends, parseAncestry } from "./descent.ts";
import type { Indexes } from "./indexes.ts";
import type { CompleteMirrorStep } from "./record.ts";
import type { RefChange } from "./state.ts";
import { storedObjects } from "./stored-objects.ts";

/** In a step. Each request reads many of them. */
const mostCommits = 20_000;

/**
 * Finds out which refs of a step were rewritten, from the mirror's own packs: the host may have lost the old commits.
 * @throws StoreError
 */
export async function findRewritten(
  objects: ObjectStore,
  refs: readonly RefChange[],
  indexes: Indexes,
): Promise<Pick<CompleteMirrorStep, "rewritten" | "undecided">> {
  const moved = refs.flatMap(([name, from, to]) =>
    from === null || to === null || from === to ? [] : [{ name, from, to }],
  );
  if (moved.length === 0) return {};
  const read = storedObjects(objects, await indexes.all());
  const known = new Map<string, Ancestry | undefined>();
  const readAncestry = async (id: string): Promise<Ancestry | undefined> => {
    if (known.has(id) || known.size >= mostCommits) return known.get(id);
    const object = await read(id);
    const ancestry = object?.type === "commit" ? parseAncestry(object.content) : undefined;
    known.set(id, ancestry);
    return ancestry;
  };
  const [rewritten, undecided]: [string[], string[]] = [[], []];
  for (const { name, from, to } of moved) {
    // A tag does not move along its history: a clone that has it keeps the old one.
    const isFollowing = name.startsWith("refs/tags/") ? false : await descends(readAncestry, from, to);
    if (isFollowing === undefined) undecided.push(name);
    else if (!isFollowing) rewritten.push(name);
  }
  return { ...(rewritten.length > 0 && { rewritten }), ...(undecided.length > 0 && { undecided }) };
}
