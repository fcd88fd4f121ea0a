import type { Ref } from "../host/advertisement.ts";
import type { Connection } from "../host/connection.ts";
import { isBranchName } from "../host/location.ts";
import { GitError } from "../lib/errors.ts";
import { objectIdPattern } from "../lib/object-id.ts";
import { printable } from "../lib/printable.ts";
import { type MirroredRef, type State, sortNames } from "./state.ts";

/**
 * Returns the refs of a host whose names begin with one of these prefixes, and where HEAD points; undefined for a
 * repository without any ref. Their order on the host makes no difference. @throws GitError
 */
export async function readState(
  connection: Connection,
  prefixes: readonly string[],
): Promise<State | undefined> {
  const listed = await connection.refs("HEAD", ...prefixes);
  const found = new Map<string, MirroredRef>();
  for (const { name, commit: id, peeled = null } of listed) {
    if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
    if (!isUtf8(name)) throw invalidRef(name, "has a name that is not UTF-8");
    if (!isRefName(name)) throw invalidRef(name, "has a name that git forbids");
    if (!isId(id) || !(peeled === null || isId(peeled)))
      throw invalidRef(name, "leads to what is no object id");
    if (found.has(name)) throw listedTwice(name);
    found.set(name, { name, id, peeled });
  }
  if (found.size === 0) return undefined;
  for (const name of found.keys()) {
    const folder = foldersOf(name).find((folder) => found.has(folder));
    if (folder !== undefined) throw conflict(name, folder);
  }
  const refs = sortNames(found.keys()).flatMap((name) => found.get(name) ?? []);
  return { head: headOf(listed), refs };
}

/** Returns what HEAD contains. */
function headOf(listed: readonly Ref[]): string {
  const heads = listed.filter(({ name }) => name === "HEAD");
  if (heads.length > 1) throw listedTwice("HEAD");
  const [head] = heads;
  // Where HEAD leads to a branch without a commit, hosts do not list it. git needs the file nevertheless.
  if (head === undefined) return "ref: refs/heads/main";
  if (head.target === undefined && isId(head.commit)) return head.commit;
  if (head.target?.startsWith("refs/") && isRefName(head.target)) return `ref: ${head.target}`;
  throw invalidRef("HEAD", "leads to what is neither a branch nor an object id");
}

const isId = (text: string) => objectIdPattern.test(text);

/** One in another encoding has been changed already. */
const isUtf8 = (name: string) => !name.includes("\ufffd");

/** A name is a path in the mirror, and a line of its list of refs. */
const isRefName = (name: string) => isBranchName(name) && isUtf8(name);

/** git keeps refs as files, and so no ref below the name of another. */
const foldersOf = (name: string): string[] =>
  [...name.matchAll(/\//g)].map(({ index }) => name.slice(0, index));

const shown = (name: string) => printable(name).slice(0, 200);
const remedy = "Nothing was mirrored in this run. Have the host's repository repaired.";

const invalidRef = (name: string, problem: string) =>
  new GitError("ref-invalid", `The host lists a ref that ${problem}: ${shown(name)}.`, remedy);

const listedTwice = (name: string) =>
  new GitError("ref-twice", `The host lists the ref ${shown(name)} twice.`, remedy);

const conflict = (name: string, folder: string) =>
  new GitError(
    "ref-conflict",
    `The host lists the refs ${shown(folder)} and ${shown(name)} together.`,
    remedy,
  );
