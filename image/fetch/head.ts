import type { Connection } from "../host/connection.ts";
import { GitError } from "../lib/errors.ts";
import { objectIdPattern } from "../lib/object-id.ts";
import { printable } from "../lib/printable.ts";

export interface Head {
  readonly commit: string;
  /** The full name of the branch; `HEAD` on hosts that do not say where it points. */
  readonly ref: string;
}

/** Returns the head of the followed branch, and undefined where the repository has no commit yet. @throws GitError */
export async function readHead(
  connection: Connection,
  branch: string | undefined,
): Promise<Head | undefined> {
  const wanted = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
  const head = (await connection.refs(wanted)).find(({ name }) => name === wanted);
  if (head) {
    if (!objectIdPattern.test(head.commit)) throw notACommit(wanted, head.commit);
    return { commit: head.commit, ref: (branch === undefined && head.target) || wanted };
  }
  const heads = "refs/heads/";
  const branches = (await connection.refs(heads))
    .filter(({ name }) => name.startsWith(heads))
    .map(({ name }) => printable(name.slice(heads.length)));
  if (branches.length === 0) return undefined;
  throw new GitError(
    "branch-not-found",
    branch === undefined
      ? "The repository's HEAD names a branch that does not exist."
      : `The repository has no branch "${branch}".`,
    `Set the branch to an existing one: ${branches.slice(0, 5).join(", ")}${branches.length > 5 ? ", ..." : "."}`,
  );
}

const notACommit = (ref: string, id: string) =>
  new GitError(
    "git-failed",
    `The host returned "${printable(id)}" for ${ref}, which is no commit id of 40 digits.`,
    "Check the host; repositories with SHA-256 are not supported.",
  );
