import { type Commit, readCommits } from "../git/commits.ts";
import type { StoredPack } from "../git/index-pack.ts";
import { openObjectReader } from "../git/objects.ts";
import { readPackIds } from "../git/pack-index.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { type GitError, isRefusal } from "../lib/errors.ts";
import { type Attempt, receive } from "./source.ts";

export interface History {
  /** Whether `to` descends from `from`. If not, history was rewritten. */
  readonly descends: boolean;
  /** The number of commits that `to` has and `from` has not. */
  readonly commits: number;
  /** Streams these commits, while the scratch repository has what was fetched. @throws GitError */
  contents(): AsyncIterable<readonly Commit[]>;
}

/** Of commits that are kept in memory, so that no process has to read them again. */
const mostBytes = 1024 * 1024;

/** Returns the history of a step of one commit, which the commit itself shows. */
export const singleCommit = (from: Commit, to: Commit): History | undefined =>
  to.parents.length === 1 && to.parents[0] === from.id
    ? { descends: true, commits: 1, contents: () => only([to]) }
    : undefined;

async function* only(commits: readonly Commit[]) {
  yield commits;
}

/**
 * Fetches the history between two commits. The request claims to have `from` and all its ancestors. The host has the whole
 * graph, and leaves out exactly what `from` has too. @throws GitError, LimitError
 */
export async function fetchHistory(attempt: Attempt, from: string, to: string): Promise<History> {
  const { filter } = await attempt.connection.features();
  // Some hosts leave out files, but not trees.
  const filters = filter ? (["tree:0", "blob:none", undefined] as const) : [undefined];
  let refusal: GitError | undefined;
  for (const filter of filters) {
    try {
      const { pack } = await receive(attempt, { want: [to], have: [from], ...(filter && { filter }) });
      const history = await readHistory(attempt, pack, from, filter === "tree:0");
      if (history) return history;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** Reads the history from a pack. Undefined where the host did not apply the filter: then it may have omitted commits too. */
async function readHistory(
  { objects, scratch }: Attempt,
  between: StoredPack,
  from: string,
  commitsAlone: boolean,
): Promise<History | undefined> {
  let [commits, descends] = [0, false];
  let kept: Commit[] | undefined = [];
  let bytes = 0;
  for await (const ids of portions(readPackIds(between.index))) {
    const found = await readCommits(objects, ids);
    // Dulwich 1.2 sends files instead of commits.
    if (commitsAlone && found.length < ids.length) return undefined;
    for (const { parents, content } of found) {
      commits++;
      bytes += content.length;
      descends ||= parents.includes(from);
    }
    if (bytes > mostBytes) kept = undefined;
    else kept?.push(...found);
  }
  const all = kept;
  return { descends, commits, contents: () => (all ? only(all) : readAgain(scratch, between)) };
}

async function* readAgain(scratch: ScratchRepository, { index }: StoredPack): AsyncGenerator<Commit[]> {
  await using objects = openObjectReader(scratch);
  for await (const ids of portions(readPackIds(index))) yield await readCommits(objects, ids);
}

async function* portions(ids: AsyncIterable<string>): AsyncGenerator<string[]> {
  let portion: string[] = [];
  for await (const id of ids) {
    portion.push(id);
    if (portion.length < 1_000) continue;
    yield portion;
    portion = [];
  }
  yield portion;
}
