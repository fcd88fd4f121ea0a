import type { Connection } from "../host/connection.ts";
import { isBranchName } from "../host/location.ts";
import { GitError } from "../lib/errors.ts";
import { objectIdPattern } from "../lib/object-id.ts";
import { printable } from "../lib/printable.ts";
import { type MirroredRef, type State, sortNames } from "./state.ts";

/**
 * Returns the refs of a host whose names begin with one of these prefixes, and where HEAD points; undefined for a
 * repository without any ref. @throws GitError
 */
export async function readState(
  connection: Connection,
  prefixes: readonly string[],
): Promise<State | undefined> {
  const listed = await connection.refs("HEAD", ...prefixes);
  const found = new Map<string, MirroredRef>();
  for (const { name, commit: id, peeled = null } of listed) {
    if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
    // A name is a path in the mirror, and a line of its list of refs.
    if (!isBranchName(name) || !objectIdPattern.test(id)) throw invalidRef(name);
    if (found.has(name)) throw listedTwice(name);
    found.set(name, { name, id, peeled });
  }
  if (found.size === 0) return undefined;
  const refs = sortNames(found.keys()).flatMap((name) => found.get(name) ?? []);
  const head = listed.find(({ name }) => name === "HEAD");
  // Where HEAD leads to a branch without a commit, hosts do not list it. git needs the file nevertheless.
  const target = head?.target ?? (head ? undefined : "refs/heads/main");
  if (target !== undefined && !isBranchName(target)) throw invalidRef(target);
  return { head: target === undefined ? (head?.commit ?? "") : `ref: ${target}`, refs };
}

const remedy = "Nothing was mirrored in this run. Have the host's repository repaired.";
const invalidRef = (name: string) =>
  new GitError(
    "ref-invalid",
    `The host lists a ref that git forbids: ${printable(name).slice(0, 200)}.`,
    remedy,
  );
const listedTwice = (name: string) =>
  new GitError("ref-invalid", `The host lists the ref ${printable(name).slice(0, 200)} twice.`, remedy);
