import { printable } from "../git/git.ts";
import type { Host } from "../host/connection.ts";
import { GitError } from "../lib/errors.ts";

export interface Head {
  readonly commit: string;
  /** The full name of the branch; `HEAD` on hosts that do not say where it points. */
  readonly ref: string;
}

/** The commit that the followed branch is at; undefined where the repository has no commit yet. @throws GitError */
export async function readHead(host: Host, branch: string | undefined): Promise<Head | undefined> {
  const wanted = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
  const head = (await host.refs(wanted)).find(({ name }) => name === wanted);
  if (head) {
    if (!/^[0-9a-f]{40}$/.test(head.commit)) throw noCommit(wanted, head.commit);
    return { commit: head.commit, ref: (branch === undefined && head.target) || wanted };
  }
  const heads = "refs/heads/";
  const branches = (await host.refs(heads))
    .filter(({ name }) => name.startsWith(heads))
    .map(({ name }) => printable(name.slice(heads.length)));
  if (branches.length === 0) return undefined;
  throw new GitError(
    "branch-not-found",
    branch === undefined
      ? "The remote's HEAD names a branch that does not exist."
      : `There is no branch "${branch}" in the repository.`,
    `Set the branch to one that is there: ${branches.slice(0, 5).join(", ")}${branches.length > 5 ? ", ..." : "."}`,
  );
}

const noCommit = (ref: string, id: string) =>
  new GitError(
    "git-failed",
    `The host has "${printable(id)}" for ${ref}, which is no commit id of 40 digits.`,
    "Look at the host; repositories with SHA-256 are not supported.",
  );
