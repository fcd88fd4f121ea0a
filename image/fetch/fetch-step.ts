import { attributesIn, changedBlobs, checkOutAttributes, emptyTree } from "../diff/diff.ts";
import { type Commit, readCommits } from "../git/commits.ts";
import { GitError, isRefusal } from "../lib/errors.ts";
import { together } from "../lib/settle.ts";
import type { Head } from "./head.ts";
import { between, type History, readHistory } from "./history.ts";
import type { Remote } from "./remote.ts";

/**
 * How little of the repository the host allowed to be fetched, the least first: the two commits and just the files
 * that changed; the two commits; the branch, deepened until it holds both; everything.
 */
const rungs = ["blobless", "shallow", "deepened", "full"] as const;
export type Rung = (typeof rungs)[number];

export interface Fetched {
  readonly rung: Rung;
  /** Size of the packs that came over the wire, refused attempts included. */
  readonly packBytes: number;
  /** How `to` follows from `from`; undefined for a baseline. */
  readonly history: History | undefined;
  readonly fromTree: string;
  readonly toTree: string;
}

/**
 * Fetches what the diff from `from` to the head needs (the head alone where there is no `from`) into the scratch
 * repository, by the first rung that the host allows: found by trying, since hosts differ and change.
 * @returns "gone" where the host has `from` no more
 * @throws GitError
 */
export async function fetchStep(
  remote: Remote,
  head: Head,
  from: string | undefined,
): Promise<Fetched | "gone"> {
  const wanted = from === undefined ? [head.commit] : [from, head.commit];
  let packBytes = 0;
  let idsAllowed = true;
  for (const rung of rungs) {
    // A baseline needs every file, so there is nothing to leave out.
    if (rung === "blobless" && from === undefined) continue;
    // The same ids would be refused again, and with protocol 0 only after the head has come with all its files.
    if (rung === "shallow" && !idsAllowed) continue;
    await remote.reset();
    try {
      const reached = await attempts[rung](remote, head, wanted);
      const commits = await readCommits(remote, wanted);
      const [before, to] = [
        commits.find(({ id }) => id === from),
        commits.find(({ id }) => id === head.commit),
      ];
      if (to !== undefined && (from === undefined || before !== undefined)) {
        const blobless = reached === "blobless";
        // A host that takes no notice of the depth has sent all there is behind `to`.
        const all = reached === "shallow" && !remote.isShallow() && to.parents.length > 0;
        const attributes = await fetchFiles(remote, before, to, blobless);
        const [history] = await together(
          before && readHistory(remote, before, to, blobless),
          attributes.length > 0 && checkOutAttributes(remote, to.id),
        );
        const bytes = packBytes + (await remote.packBytes()) + (await between(remote).packBytes());
        return {
          rung: all ? "full" : reached,
          packBytes: bytes,
          history,
          fromTree: before?.tree ?? emptyTree,
          toTree: to.tree,
        };
      }
      if (rung === "full") return lost(to !== undefined);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const missing = /not our ref ([0-9a-f]{40})/.exec(error.message)?.[1];
      const isEnd = missing !== undefined && wanted.includes(missing);
      // With protocol 2, git serves every object it has: what it does not know then is gone, whatever else is tried.
      if (isEnd && (await remote.host.isModern())) return lost(missing !== head.commit);
      if (rung === "full") throw error;
      idsAllowed &&= !isEnd && !/unadvertised/.test(error.message);
    }
    packBytes += await remote.packBytes();
  }
  throw new Error("The last rung neither returned nor threw.");
}

/** One of the two ends is not to be had: the old one is "gone", without the new one there is nothing to do. */
function lost(headIsThere: boolean): "gone" {
  if (headIsThere) return "gone";
  throw new GitError(
    "head-moved",
    "The branch moved while it was being fetched, and the commit it was at is gone.",
    "The next run takes the branch as it is then.",
  );
}

/** Each rung's way to fetch; gives the rung that it turned out to be. @throws GitError where the host refuses */
const attempts: Record<Rung, (remote: Remote, head: Head, wanted: readonly string[]) => Promise<Rung>> = {
  async blobless(remote, _head, want) {
    const { filtered } = await remote.fetchObjects({ want, depth: 1, filter: "blob:none" });
    return filtered ? "blobless" : "shallow";
  },
  async shallow(remote, _head, want) {
    await remote.fetchObjects({ want, depth: 1 });
    return "shallow";
  },
  async deepened(remote, head, wanted) {
    for (const depth of [50, 500, 5_000]) {
      await remote.fetch([`--depth=${depth}`, "origin", `+${head.ref}:refs/followed`]);
      if ((await readCommits(remote, wanted)).length === wanted.length || !remote.isShallow()) break;
    }
    return "deepened";
  },
  async full(remote) {
    await remote.fetch(["origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
    return "full";
  },
};

/** Fetches the files that the diff shows and the `.gitattributes` that shape it, in one batch; gives the ids of those. */
async function fetchFiles(
  remote: Remote,
  from: Commit | undefined,
  to: Commit,
  blobless: boolean,
): Promise<string[]> {
  const [attributes, changed] = await Promise.all([
    attributesIn(remote, to.id),
    from && blobless ? changedBlobs(remote, from.id, to.id) : [],
  ]);
  const want = [...changed, ...attributes];
  if (blobless && want.length > 0) await remote.fetchObjects({ want, filter: "blob:none" });
  return attributes;
}
