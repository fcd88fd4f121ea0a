import { checkOutAttributes, findAttributes } from "../git/attributes.ts";
import { changedBlobs } from "../git/changes.ts";
import { type Commit, readCommits } from "../git/commits.ts";
import { GitError, isRefusal } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { settleAll } from "../lib/settle.ts";
import type { Head } from "./head.ts";
import { type History, openCommitsRepository, readHistory } from "./history.ts";
import type { Source } from "./source.ts";
import { fetchEnds, type Strategy, strategies } from "./strategies.ts";

export interface Fetched {
  readonly strategy: Strategy;
  /** The size of all packs in bytes, those of refused attempts included. */
  readonly packBytes: number;
  /** How `to` follows from `from`; undefined for a baseline. */
  readonly history: History | undefined;
  readonly fromTree: string;
  readonly toTree: string;
}

/** The result of one attempt. `idsRefused`: another request for these ids would be refused again. */
type Attempt =
  | { readonly result: "fetched"; readonly fetched: Fetched }
  | { readonly result: "missing"; readonly toIsHere: boolean }
  | { readonly result: "lost"; readonly lost: "from" | "to" }
  | { readonly result: "refused"; readonly error: GitError; readonly idsRefused: boolean };

/**
 * Fetches what the diff from `from` to the head needs into the scratch repository; without `from`, the head alone. Tries
 * the strategies in their order until the host allows one: hosts differ, and change.
 * @returns "gone" where the host no longer has `from`
 * @throws GitError
 */
export async function fetchStep(
  source: Source,
  head: Head,
  from: string | undefined,
): Promise<Fetched | "gone"> {
  let packBytes = 0;
  let idsRefused = false;
  let last: Attempt | undefined;
  for (const strategy of strategies) {
    // A baseline needs every file, so there is nothing to leave out.
    if (strategy === "blobless" && from === undefined) continue;
    // With protocol 0, the refusal would come only after the head's files.
    if (strategy === "shallow" && idsRefused) continue;
    last = await attempt(source, strategy, head, from);
    if (last.result === "fetched") {
      return { ...last.fetched, packBytes: packBytes + last.fetched.packBytes };
    }
    if (last.result === "lost") return goneOrThrow(last.lost);
    idsRefused ||= last.result === "refused" && last.idsRefused;
    packBytes += await source.scratch.packBytes();
  }
  if (last?.result === "refused") throw last.error;
  return goneOrThrow(last?.result === "missing" && last.toIsHere ? "from" : "to");
}

async function attempt(
  source: Source,
  strategy: Strategy,
  head: Head,
  from: string | undefined,
): Promise<Attempt> {
  const { connection, scratch } = source;
  const want = from === undefined ? [head.commit] : [from, head.commit];
  await scratch.reset();
  try {
    const reached = await fetchEnds[strategy](source, head, want);
    const commits = await readCommits(scratch, want);
    const [before, to] = [from, head.commit].map((wanted) => commits.find(({ id }) => id === wanted));
    if (to === undefined || (from !== undefined && before === undefined)) {
      return { result: "missing", toIsHere: to !== undefined };
    }
    return { result: "fetched", fetched: await complete(source, reached, before, to) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const missing = /not our ref ([0-9a-f]{40})/.exec(error.message)?.[1];
    const isEnd = missing !== undefined && want.includes(missing);
    if (isEnd && (await connection.servesAnyObject())) {
      return { result: "lost", lost: missing === head.commit ? "to" : "from" };
    }
    return { result: "refused", error, idsRefused: isEnd || /unadvertised/.test(error.message) };
  }
}

/** Completes a fetch of two commits: the files that the diff shows, and the history between the commits. */
async function complete(
  source: Source,
  reached: Strategy,
  before: Commit | undefined,
  to: Commit,
): Promise<Fetched> {
  const { scratch } = source;
  const blobless = reached === "blobless";
  // A host that ignores the depth has sent everything behind `to`.
  const everything = reached === "shallow" && !scratch.isShallow() && to.parents.length > 0;
  const attributes = await fetchFiles(source, before, to, blobless);
  const [history] = await settleAll(
    before && readHistory(source, before, to, blobless),
    attributes.length > 0 && checkOutAttributes(scratch, to.id),
  );
  return {
    strategy: everything ? "full" : reached,
    packBytes: (await scratch.packBytes()) + (await openCommitsRepository(scratch).packBytes()),
    history,
    fromTree: before?.tree ?? emptyTree,
    toTree: to.tree,
  };
}

/**
 * Fetches the files that the diff shows, and the `.gitattributes` that shape it, in one request.
 * Returns the ids of the latter.
 */
async function fetchFiles(
  { connection, scratch }: Source,
  from: Commit | undefined,
  to: Commit,
  blobless: boolean,
): Promise<string[]> {
  const [attributes, changed] = await Promise.all([
    findAttributes(scratch, to.id),
    from && blobless ? changedBlobs(scratch, from.id, to.id) : [],
  ]);
  const want = [...changed, ...attributes];
  if (blobless && want.length > 0) await connection.fetch({ want, filter: "blob:none" }, scratch);
  return attributes;
}

/** Returns "gone" for a lost `from`. Without `to` there is nothing to do in this run. */
function goneOrThrow(lost: "from" | "to"): "gone" {
  if (lost === "from") return "gone";
  throw new GitError(
    "head-moved",
    "The branch moved during the fetch, and its former commit is gone from the host.",
    "The next run takes the branch as it is then.",
  );
}
