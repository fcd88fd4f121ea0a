import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deflateSync } from "node:zlib";
import { type Commit, commitsIn, readCommits } from "./commit.ts";
import { isRefusal } from "./errors.ts";
import { promisor, type Remote } from "./remote.ts";

export interface History {
  /** Whether `to` descends from `from`; if not, history was rewritten. */
  readonly descends: boolean;
  /** How many commits `to` has that `from` has not; undefined where that was not to be learnt cheaply. */
  readonly commits: number | undefined;
}

/** Where only dates tell how far back to look: a commit this much older than its own ancestor is still found. */
const clockSkewSeconds = 86_400;

/** Finds out how `to` follows from `from`: two commits that were fetched with depth 1 do not tell. */
export async function readHistory(
  remote: Remote,
  from: Commit,
  to: Commit,
  blobless: boolean,
): Promise<History> {
  if (to.parents.length === 1 && to.parents[0] === from.id) return { descends: true, commits: 1 };
  if (blobless) return readBetween(remote, from, to);
  if (remote.isShallow()) await deepen(remote, from, to);
  return walk(remote, from, to);
}

/** The scratch repository for the commits between two. */
export const between = (remote: Remote): Remote => remote.beside("between.git");

/**
 * Has the host send just the commits between, without trees, into a repository that knows `from` and claims to have
 * all that lies behind it: then the host, who has the whole graph, leaves out exactly what `from` has too.
 */
async function readBetween(remote: Remote, from: Commit, to: Commit): Promise<History> {
  const commitsOnly = between(remote);
  await commitsOnly.reset();
  const parentless = from.text.replace(/^parent .*\n/gm, "");
  await writeCommit(commitsOnly, from.text);
  // The claim: git replaces `from` by a commit without parents, and so never goes looking for them.
  if (from.parents.length > 0) {
    const replacement = join(commitsOnly.directory, "refs", "replace", from.id);
    await mkdir(dirname(replacement));
    await writeFile(replacement, await writeCommit(commitsOnly, parentless));
  }
  // Protocol 0 knows no negotiation tip: there, git tells the host of what its refs are at.
  await writeFile(join(commitsOnly.directory, "refs", "collected"), `${from.id}\n`);
  const args = ["--filter=tree:0", `--negotiation-tip=${from.id}`, "origin", to.id];
  try {
    await commitsOnly.fetch(args, { config: promisor });
  } catch (error) {
    // Where `to` lies behind `from`, there is nothing to send; git takes that for an error.
    const nothing = isRefusal(error) && error.message.includes("did not send all necessary objects");
    if (nothing) return { descends: false, commits: 0 };
    throw error;
  }
  let [commits, descends] = [0, false];
  for await (const { parents } of commitsIn(commitsOnly)) {
    commits++;
    descends ||= parents.includes(from.id);
  }
  return { descends, commits: commits - new Set([from.text, parentless]).size };
}

/** Writes a commit as a loose object, and gives its id. */
async function writeCommit(remote: Remote, text: string): Promise<string> {
  const content = Buffer.from(text, "latin1");
  const object = Buffer.concat([Buffer.from(`commit ${content.length}\0`), content]);
  const id = createHash("sha1").update(object).digest("hex");
  const path = join(remote.directory, "objects", id.slice(0, 2), id.slice(2));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, deflateSync(object));
  return id;
}

/** Fetches the commits since `from`: by their dates or, on hosts that know no dates, by ever greater depth. */
async function deepen(remote: Remote, from: Commit, to: Commit): Promise<void> {
  const since = Math.min(from.time, to.time) - clockSkewSeconds;
  const args = [`--negotiation-tip=${from.id}`, `--negotiation-tip=${to.id}`, "origin", to.id];
  try {
    await remote.fetch([`--shallow-since=${since}`, ...args]);
    // A merge of an older branch is an end itself: its newer parent did not come either.
    const ends = await readCommits(remote, await shallowCommits(remote));
    if (ends.every(({ parents }) => parents.length < 2) || (await walk(remote, from, to)).descends) return;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  for (let depth = 20; remote.isShallow(); depth *= 8) {
    await remote.fetch([`--depth=${depth}`, ...args]);
    const ends = (await shallowCommits(remote)).filter((id) => id !== from.id);
    const old = (await readCommits(remote, ends)).every(({ time }) => time < since);
    if (old || (await walk(remote, from, to)).descends) return;
  }
}

/** Tells from the commits that are here. */
async function walk(remote: Remote, from: Commit, to: Commit): Promise<History> {
  const lines = (await remote.run(["rev-list", "--boundary", "--parents", to.id, `^${from.id}`]))
    .split("\n")
    .filter(Boolean);
  const commits = lines.filter((line) => !line.startsWith("-"));
  // On a way from `to` down to `from`, the first commit that `from` has too is `from` itself.
  let descends = lines.some((line) => line.startsWith(`-${from.id}`));
  if (!descends && remote.isShallow()) {
    // git takes a commit that lacks one parent for one without any, a merge of an old branch say; its text tells.
    for await (const { parents } of commitsIn(remote)) descends ||= parents.includes(from.id);
  }
  // Where a way ends at the edge there may be more; where it ends at the very first commit, less: the part of it that
  // `from` has too is not known while what lies behind `from` is not here.
  const open = remote.isShallow() && commits.some((line) => !line.includes(" "));
  return { descends, commits: open ? undefined : commits.length };
}

async function shallowCommits(remote: Remote): Promise<string[]> {
  if (!remote.isShallow()) return [];
  const text = await readFile(join(remote.directory, "shallow"), "utf8");
  return text.split("\n").filter(Boolean);
}
