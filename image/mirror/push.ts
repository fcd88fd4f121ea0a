import { objectsThere, packObjects } from "../git/pack-objects.ts";
import type { PushConnection, RefUpdate } from "../host/push-connection.ts";
import { GitError } from "../lib/errors.ts";
import type { State } from "./state.ts";

export interface PushOptions {
  /** The names of all refs that the mirror has ever had: those that it has no longer are deleted. */
  readonly known: ReadonlySet<string>;
  /** Whether to delete other refs, too. */
  readonly exact: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: ((line: string) => void) | undefined;
}

/** A ref of a host that is not what it should be. */
export interface RefDifference {
  readonly ref: string;
  /** Its id in the state; null where it should not be there. */
  readonly wanted: string | null;
  /** Its id on the host; null where it is not there. */
  readonly found: string | null;
  /** Why the host refused to change it, in its words. */
  readonly reason?: string;
}

/** What a push did. The numbers count refs. */
export interface Pushed {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
  /** The refs of the host that the mirror never had, which are left alone. */
  readonly left: readonly string[];
  readonly differences: readonly RefDifference[];
}

/**
 * Gives a host the refs of a state, by a repository that has them, and compares the host's refs afterwards. A ref that the
 * host refuses keeps no other one back.
 * @throws GitError
 */
export async function pushState(
  repository: string,
  state: State,
  host: PushConnection,
  { known, exact, signal, onProgress }: PushOptions,
): Promise<Pushed> {
  const wanted = new Map(state.refs.map(({ name, id }) => [name, id]));
  const before = await host.refs();
  const others = [...before.keys()].filter((name) => !wanted.has(name));
  const isKept = (name: string) => !exact && !known.has(name);
  // The deletions first: a new ref may be below one that goes.
  const updates: RefUpdate[] = [
    ...others.flatMap((name) => (isKept(name) ? [] : { name, from: before.get(name) ?? null, to: null })),
    ...[...wanted].flatMap(([name, to]) => {
      const from = before.get(name) ?? null;
      return from === to ? [] : { name, from, to };
    }),
  ];
  const exclude = await objectsThere(repository, [...new Set(before.values())], signal);
  const include = [...new Set(updates.flatMap(({ to }) => to ?? []))];
  const reasons = await host.push(updates, (offsets) =>
    packObjects(repository, { include, exclude, offsets }, { signal, onProgress }),
  );
  const after = await host.refs();
  const isDone = ({ name, to }: RefUpdate) => (after.get(name) ?? null) === to;
  const done = updates.filter(isDone);
  const count = (isCounted: (update: RefUpdate) => boolean) => done.filter(isCounted).length;
  return {
    created: count(({ from }) => from === null),
    updated: count(({ from, to }) => from !== null && to !== null),
    deleted: count(({ to }) => to === null),
    unchanged: [...wanted].filter(([name, id]) => before.get(name) === id).length,
    left: [...after.keys()].filter((name) => !wanted.has(name) && isKept(name)),
    differences: differencesOf(wanted, after, isKept, reasons),
  };
}

function differencesOf(
  wanted: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
  isKept: (name: string) => boolean,
  reasons: ReadonlyMap<string, string>,
): RefDifference[] {
  return [...new Set([...wanted.keys(), ...found.keys()])].flatMap((ref): RefDifference[] => {
    const [right, real] = [wanted.get(ref) ?? null, found.get(ref) ?? null];
    if (right === real || (right === null && isKept(ref))) return [];
    const reason = reasons.get(ref);
    return [{ ref, wanted: right, found: real, ...(reason !== undefined && { reason }) }];
  });
}

const namesShown = 5;

/** The error of a host whose refs are not those of the state. */
export function refsDiffer(differences: readonly RefDifference[]): GitError {
  const names = differences
    .slice(0, namesShown)
    .map(({ ref, reason }) => (reason === undefined ? ref : `${ref} (${reason})`));
  const more = differences.length > namesShown ? ` and ${differences.length - namesShown} more` : "";
  return new GitError(
    "refs-differ",
    `These refs of the host are not as in the mirror: ${names.join(", ")}${more}.`,
    "All others are. Let the host accept these, for example by other rules for its branches, and push again.",
  );
}
