import { type Commit, readCommits, streamCommits, streamCommitsOnly } from "../git/commits.ts";
import { linesOf } from "../git/lines.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { isRefusal } from "../lib/errors.ts";
import type { Source } from "./source.ts";

export interface History {
  /** Whether `to` descends from `from`. If not, history was rewritten. */
  readonly descends: boolean;
  /** The number of commits that `to` has and `from` has not; undefined where it would cost too much to find out. */
  readonly commits: number | undefined;
}

/** How much older than its ancestor a commit may be, where only dates limit the search. */
const clockSkewSeconds = 86_400;

/** Finds out how `to` follows from `from`. A fetch of two commits with depth 1 does not show it. */
export async function readHistory(
  source: Source,
  from: Commit,
  to: Commit,
  blobless: boolean,
): Promise<History> {
  if (to.parents.length === 1 && to.parents[0] === from.id) return { descends: true, commits: 1 };
  if (blobless) return readBetween(source, from, to);
  if (source.scratch.isShallow()) await deepen(source, from, to);
  return compare(source.scratch, from, to);
}

/** Opens the scratch repository for the commits between two others. */
export const openCommitsRepository = (scratch: ScratchRepository): ScratchRepository =>
  scratch.sibling("commits.git");

/**
 * Fetches the commits between two, without trees. The request claims to have `from` and all its ancestors. The host has
 * the whole graph, and leaves out exactly what `from` has too.
 */
async function readBetween({ connection, scratch }: Source, from: Commit, to: Commit): Promise<History> {
  const between = openCommitsRepository(scratch);
  await between.reset();
  const written = await fetchBetween({ connection, scratch: between }, from, to.id);
  if (written === undefined) return { descends: false, commits: 0 };
  let [commits, descends] = [0, false];
  for await (const { parents } of streamCommitsOnly(between)) {
    commits++;
    descends ||= parents.includes(from.id);
  }
  return { descends, commits: commits - written };
}

/**
 * Returns how many of the commits that are here afterwards were written and not fetched. Returns undefined where the host
 * has nothing to send, because `to` is an ancestor of `from`.
 */
async function fetchBetween(
  { connection, scratch }: Source,
  have: Commit,
  to: string,
): Promise<number | undefined> {
  // Some hosts leave out files, but not trees.
  for (const filter of ["tree:0", "blob:none"] as const) {
    try {
      return (await connection.fetch({ want: [to], have, filter }, scratch)).written;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // git reports an empty pack as an error.
      if (error.message.includes("did not send all necessary objects")) return undefined;
      if (filter === "blob:none") throw error;
    }
  }
}

/** Fetches the commits since `from`: by their dates or, on hosts that know no dates, by ever greater depth. */
async function deepen({ connection, scratch }: Source, from: Commit, to: Commit): Promise<void> {
  const since = Math.min(from.time, to.time) - clockSkewSeconds;
  const args = [`--negotiation-tip=${from.id}`, `--negotiation-tip=${to.id}`, "origin", to.id];
  try {
    await connection.fetchRefs([`--shallow-since=${since}`, ...args], scratch);
    // A merge of an older branch is a boundary itself: its newer parent did not come either.
    const boundary = await readCommits(scratch, await scratch.readShallow());
    if (boundary.every(({ parents }) => parents.length < 2)) return;
    if ((await compare(scratch, from, to)).descends) return;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  for (let depth = 20; scratch.isShallow(); depth *= 8) {
    await connection.fetchRefs([`--depth=${depth}`, ...args], scratch);
    const boundary = (await scratch.readShallow()).filter((id) => id !== from.id);
    if ((await readCommits(scratch, boundary)).every(({ time }) => time < since)) return;
    if ((await compare(scratch, from, to)).descends) return;
  }
}

/** Compares two commits by the commits that are here. */
async function compare(scratch: ScratchRepository, from: Commit, to: Commit): Promise<History> {
  const shallow = scratch.isShallow();
  let [commits, descends, incomplete] = [0, false, false];
  const range = ["rev-list", "--boundary", "--parents", to.id, `^${from.id}`];
  for await (const line of linesOf(scratch.stream(range))) {
    // On a path from `to` down to `from`, the first commit that `from` has too is `from` itself.
    descends ||= line.startsWith(`-${from.id}`);
    if (line.startsWith("-")) continue;
    commits++;
    // A path that ends at the shallow boundary may continue behind it. A path that ends at a root commit may contain
    // commits that `from` has too, as long as the ancestors of `from` are not here.
    incomplete ||= shallow && !line.includes(" ");
  }
  if (!descends && shallow) {
    // git treats a commit without one of its parents, such as a merge of an old branch, as one without any. Its text
    // still names them.
    for await (const { parents } of streamCommits(scratch)) descends ||= parents.includes(from.id);
  }
  return { descends, commits: incomplete ? undefined : commits };
}
