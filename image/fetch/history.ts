import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deflateSync } from "node:zlib";
import { type Commit, commitsAmongFew, commitsIn, linesOf, readCommits } from "../git/commits.ts";
import { isRefusal } from "../lib/errors.ts";
import type { Remote } from "./remote.ts";

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
 * Has the host send just the commits between, without trees, to somebody who claims to have `from` and all that lies
 * behind it: then the host, who has the whole graph, leaves out exactly what `from` has too.
 */
async function readBetween(remote: Remote, from: Commit, to: Commit): Promise<History> {
  const commitsOnly = between(remote);
  await commitsOnly.reset();
  // git makes no such claim by itself.
  const written = (await remote.host.isModern()) ? 0 : await feign(commitsOnly, from);
  if (!(await fetchBetween(commitsOnly, from.id, to.id))) return { descends: false, commits: 0 };
  let [commits, descends] = [0, false];
  for await (const { parents } of commitsAmongFew(commitsOnly)) {
    commits++;
    descends ||= parents.includes(from.id);
  }
  return { descends, commits: commits - written };
}

/** Makes git believe that the scratch repository has `from` and all behind it; gives the number of commits written. */
async function feign(remote: Remote, from: Commit): Promise<number> {
  await writeCommit(remote, from.text);
  // Protocol 0 knows no negotiation tip: there, git tells the host of what its refs are at.
  await writeFile(join(remote.directory, "refs", "collected"), `${from.id}\n`);
  if (from.parents.length === 0) return 1;
  // git replaces `from` by a commit without parents, and so never goes looking for them.
  const replacement = join(remote.directory, "refs", "replace", from.id);
  const [header = "", ...message] = from.text.split("\n\n");
  const parentless = [header.replace(/^parent .*\n/gm, ""), ...message].join("\n\n");
  await mkdir(dirname(replacement));
  await writeFile(replacement, await writeCommit(remote, parentless));
  return 2;
}

/** @returns false where there is nothing to send, `to` lying behind `from` */
async function fetchBetween(remote: Remote, from: string, to: string): Promise<boolean> {
  // A host may leave out files and not trees.
  for (const filter of ["tree:0", "blob:none"] as const) {
    try {
      await remote.fetchObjects({ want: [to], have: from, filter });
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // git takes it for an error that nothing came.
      if (error.message.includes("did not send all necessary objects")) return false;
      if (filter === "blob:none") throw error;
    }
  }
  return true;
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
  const shallow = remote.isShallow();
  let [commits, descends, open] = [0, false, false];
  for await (const line of linesOf(
    remote.stream(["rev-list", "--boundary", "--parents", to.id, `^${from.id}`]),
  )) {
    // On a way from `to` down to `from`, the first commit that `from` has too is `from` itself.
    descends ||= line.startsWith(`-${from.id}`);
    if (line.startsWith("-")) continue;
    commits++;
    // Where a way ends at the edge there may be more; where it ends at the very first commit, less: the part of it
    // that `from` has too is not known while what lies behind `from` is not here.
    open ||= shallow && !line.includes(" ");
  }
  if (!descends && shallow) {
    // git takes a commit that lacks one parent for one without any, a merge of an old branch say; its text tells.
    for await (const { parents } of commitsIn(remote)) descends ||= parents.includes(from.id);
  }
  return { descends, commits: open ? undefined : commits };
}

async function shallowCommits(remote: Remote): Promise<string[]> {
  if (!remote.isShallow()) return [];
  const text = await readFile(join(remote.directory, "shallow"), "utf8");
  return text.split("\n").filter(Boolean);
}
