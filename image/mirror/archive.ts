import { archivePrefix } from "../config/repository.ts";
import { applyChanges, type RefChange, type State, stateId } from "./state.ts";

/**
 * Returns whether a ref keeps what was taken from another one.
 * @param prefixes the beginnings of the refs that are mirrored: what they name is the host's own
 */
export const isArchived = (name: string, prefixes: readonly string[]): boolean =>
  name.startsWith(archivePrefix) && !prefixes.some((prefix) => name.startsWith(prefix));

/** Returns a host's state with the archived refs of its mirror, which the host does not list. */
export function withArchived(state: State, before: State, prefixes: readonly string[]): State {
  const archived = before.refs.filter(({ name }) => isArchived(name, prefixes));
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
    if (from === null || name.startsWith(archivePrefix) || (to !== null && !lost.has(name))) return [];
    const kept = `${archivePrefix}${number}/${name.replace(/^refs\//, "")}`;
    return [[kept, null, from, old.get(name)?.peeled ?? null]];
  });
}

/** Returns the id of a state without its archived refs, as the host has it. Undefined where it has none. */
export function liveId({ head, refs }: State, prefixes: readonly string[]): string | undefined {
  const live = refs.filter(({ name }) => !isArchived(name, prefixes));
  return live.length === refs.length ? undefined : stateId({ head, refs: live });
}
