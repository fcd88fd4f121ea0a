import { applyChanges, type RefChange, type State, stateId } from "./state.ts";

/** Where a mirror keeps what was taken from refs. */
const folder = "refs/archive/";

/** Returns a host's state with the archived refs of its mirror, which the host does not list. */
export function withArchived(state: State, before: State): State {
  const listed = new Set(state.refs.map(({ name }) => name));
  const archived = before.refs.filter(({ name }) => name.startsWith(folder) && !listed.has(name));
  return applyChanges(
    state,
    state.head,
    archived.map(({ name, id, peeled }): RefChange => [name, null, id, peeled]),
  );
}

/**
 * Returns the refs that keep what a step takes away: the old ids of refs that were deleted or rewritten, each below the
 * number of the step.
 * @param rewritten the names of the refs that were rewritten, as far as that is known
 */
export function archiveChanges(
  number: number,
  before: State,
  changes: readonly RefChange[],
  rewritten: readonly string[],
): RefChange[] {
  const old = new Map(before.refs.map((ref) => [ref.name, ref]));
  const lost = new Set(rewritten);
  return changes.flatMap(([name, from, to]): RefChange[] => {
    if (from === null || name.startsWith(folder) || (to !== null && !lost.has(name))) return [];
    const kept = `${folder}${number}/${name.replace(/^refs\//, "")}`;
    return [[kept, null, from, old.get(name)?.peeled ?? null]];
  });
}

/** Returns the id of a state without its archived refs, as the host has it. Undefined where it has none. */
export function liveId({ head, refs }: State): string | undefined {
  const live = refs.filter(({ name }) => !name.startsWith(folder));
  return live.length === refs.length ? undefined : stateId({ head, refs: live });
}
