import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isRefusal } from "./errors.ts";
import type { Remote } from "./remote.ts";

export interface History {
  /** Whether `to` descends from `from`; if not, history was rewritten. */
  readonly descends: boolean;
  /** How many commits `to` has that `from` has not; undefined where that was not to be learnt cheaply. */
  readonly commits: number | undefined;
}

/** Configures a fetch that leaves out trees or files; never written to disk, so that nothing fetches them later. */
export const promisor = [
  ["remote.origin.promisor", "true"],
  ["remote.origin.partialCloneFilter", "blob:none"],
] as const;

/** Clocks of committers differ: a commit this much older than its own ancestor is still found. */
const clockSkewSeconds = 86_400;

/**
 * Finds out how `to` follows from `from`. Two commits fetched with depth 1 do not tell, so the commits since `from`
 * are asked for: by time, or by ever greater depth on hosts that know no time; without their trees where possible.
 */
export async function readHistory(
  remote: Remote,
  from: string,
  to: string,
  withoutTrees: boolean,
): Promise<History> {
  const [older, newer] = [await readCommit(remote, from), await readCommit(remote, to)];
  if (newer.parents.length === 1 && newer.parents[0] === from) return { descends: true, commits: 1 };
  const since = Math.min(older.time, newer.time) - clockSkewSeconds;
  if (remote.isShallow()) await fetchSince(remote, from, to, since, withoutTrees);
  const descends = await isAncestor(remote, from, to);
  return { descends, commits: await countCommits(remote, from, to) };
}

async function fetchSince(
  remote: Remote,
  from: string,
  to: string,
  since: number,
  withoutTrees: boolean,
): Promise<void> {
  const tips = [`--negotiation-tip=${from}`, `--negotiation-tip=${to}`];
  const filter = withoutTrees ? ["--filter=tree:0"] : [];
  const config = withoutTrees ? promisor : [];
  try {
    await remote.fetch([`--shallow-since=${since}`, ...filter, ...tips, "origin", to], { config });
    return;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  for (let depth = 20; remote.isShallow(); depth *= 8) {
    await remote.fetch([`--depth=${depth}`, ...filter, ...tips, "origin", to], { config });
    if ((await isAncestor(remote, from, to)) || (await reachesBack(remote, from, since))) return;
  }
}

/** Whether nothing newer than `since` can lie beyond what was fetched. */
async function reachesBack(remote: Remote, from: string, since: number): Promise<boolean> {
  const ends = (await shallowCommits(remote)).filter((commit) => commit !== from);
  const times = await Promise.all(ends.map(async (commit) => (await readCommit(remote, commit)).time));
  return times.every((time) => time < since);
}

async function readCommit(remote: Remote, commit: string): Promise<{ parents: string[]; time: number }> {
  // Not `git log`: it hides the parents at the edge of a shallow repository.
  const [header = ""] = (await remote.run(["cat-file", "commit", commit])).split("\n\n");
  const parents = [...header.matchAll(/^parent ([0-9a-f]{40})$/gm)].map(([, id = ""]) => id);
  const time = Number(/^committer .* (\d+) [+-]\d+$/m.exec(header)?.[1] ?? 0);
  return { parents, time };
}

async function isAncestor(remote: Remote, from: string, to: string): Promise<boolean> {
  return (await remote.run(["rev-list", "--max-count=1", from, `^${to}`])) === "";
}

async function countCommits(remote: Remote, from: string, to: string): Promise<number | undefined> {
  const commits = (await remote.run(["rev-list", to, `^${from}`])).split("\n").filter(Boolean);
  const ends = new Set(await shallowCommits(remote));
  // Behind a commit at the edge there may be more that `from` has not either.
  return commits.some((commit) => ends.has(commit)) ? undefined : commits.length;
}

async function shallowCommits(remote: Remote): Promise<string[]> {
  if (!remote.isShallow()) return [];
  const text = await readFile(join(remote.directory, "shallow"), "utf8");
  return text.split("\n").filter(Boolean);
}
