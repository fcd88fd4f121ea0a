import { readCommits } from "../git/commits.ts";
import type { Features } from "../host/connection.ts";
import { type Attempt, receive } from "./source.ts";

/**
 * The ways to fetch a step, the smallest fetch first.
 * blobless: the two commits, and the files that changed. shallow: the two commits with all their files.
 * deepened: the branch, deepened until it contains both. full: everything.
 */
export const strategies = ["blobless", "shallow", "deepened", "full"] as const;
export type Strategy = (typeof strategies)[number];

/** The two ends of a step; `from` is undefined for a baseline. */
export interface Ends {
  readonly from: string | undefined;
  readonly to: string;
}

/** Returns whether a strategy makes sense for a step on a host with these features. */
export function isApplicable(strategy: Strategy, { depth, filter }: Features, { from }: Ends): boolean {
  // A baseline needs every file, so there is nothing to leave out.
  if (strategy === "blobless") return depth && filter && from !== undefined;
  return depth || strategy === "full";
}

type FetchEnds = (attempt: Attempt, ends: Ends) => Promise<Strategy>;

/** Fetch the commits at a step's ends. Return what the strategy turned out to be. @throws GitError, LimitError */
export const fetchEnds: Readonly<Record<Strategy, FetchEnds>> = {
  async blobless(attempt, { from, to }) {
    await receive(attempt, { want: [from ?? to, to], depth: 1, filter: "blob:none" });
    return "blobless";
  },
  async shallow(attempt, { from, to }) {
    // Both with their whole trees. A pack from `from` to `to` would not do: `to` may contain a file that an ancestor of
    // `from` had and `from` has not, which the host would leave out.
    const { shallow } = await receive(attempt, { want: from === undefined ? [to] : [from, to], depth: 1 });
    const commits = await readCommits(attempt.objects, from === undefined ? [to] : [from, to]);
    // A host that ignores the depth has sent everything.
    return shallow.length === 0 && commits.some(({ parents }) => parents.length > 0) ? "full" : "shallow";
  },
  async deepened(attempt, { from, to }) {
    const boundary = new Set<string>();
    for (const depth of [50, 500, 5_000]) {
      // The boundary and not `to`, with which git sends its files again.
      const known = { shallow: [...boundary], have: [...boundary] };
      const { shallow, unshallow } = await receive(attempt, { want: [to], depth, ...known });
      for (const id of shallow) boundary.add(id);
      for (const id of unshallow) boundary.delete(id);
      const found = from === undefined || (await attempt.objects.info([from])).length > 0;
      if (found || boundary.size === 0) break;
    }
    return "deepened";
  },
  async full(attempt, { from, to }) {
    const { anyObject } = await attempt.connection.features();
    const all = anyObject ? [] : await attempt.connection.refs("refs/");
    const want = new Set([to, ...(anyObject && from ? [from] : []), ...all.map(({ commit }) => commit)]);
    await receive(attempt, { want: [...want] });
    return "full";
  },
};
