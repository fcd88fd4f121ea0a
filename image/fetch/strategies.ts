import { readCommits } from "../git/commits.ts";
import type { Head } from "./head.ts";
import type { Source } from "./source.ts";

/**
 * The ways to fetch a step, the smallest fetch first.
 * blobless: the two commits, and the files that changed. shallow: the two commits with all their files.
 * deepened: the branch, deepened until it contains both. full: everything.
 */
export const strategies = ["blobless", "shallow", "deepened", "full"] as const;
export type Strategy = (typeof strategies)[number];

/** Fetches the commits at a step's ends. Returns the strategy that it turned out to be. @throws GitError */
type FetchEnds = (source: Source, head: Head, want: readonly string[]) => Promise<Strategy>;

export const fetchEnds: Readonly<Record<Strategy, FetchEnds>> = {
  async blobless({ connection, scratch }, _head, want) {
    const { filtered } = await connection.fetch({ want, depth: 1, filter: "blob:none" }, scratch);
    return filtered ? "blobless" : "shallow";
  },
  async shallow({ connection, scratch }, _head, want) {
    await connection.fetch({ want, depth: 1 }, scratch);
    return "shallow";
  },
  async deepened({ connection, scratch }, head, want) {
    for (const depth of [50, 500, 5_000]) {
      await connection.fetchRefs([`--depth=${depth}`, "origin", `+${head.ref}:refs/followed`], scratch);
      if ((await readCommits(scratch, want)).length === want.length || !scratch.isShallow()) break;
    }
    return "deepened";
  },
  async full({ connection, scratch }) {
    const everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    await connection.fetchRefs(["origin", ...everything], scratch);
    return "full";
  },
};
