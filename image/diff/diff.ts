import type { ScratchRepository } from "../git/scratch-repository.ts";

/** The options that fix every byte of a diff, together with the two commits and git's version. See docs/format.md. */
export const diffOptions = [
  "--full-index",
  "--find-renames",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--no-relative",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  // A .gitmodules could hide a submodule's new commit, and the diffs would no longer add up to the tree.
  "--ignore-submodules=none",
  "--submodule=short",
];

/** Returns the number of binary files in a diff, as `git diff --numstat` counts them. @throws GitError */
export async function countBinaryFiles(
  { worktree, stream }: ScratchRepository,
  from: string,
  to: string,
): Promise<number> {
  let [count, rest] = [0, ""];
  for await (const chunk of stream(["diff", "--numstat", "-z", ...diffOptions, from, to], { worktree })) {
    const rows = (rest + Buffer.from(chunk).toString("latin1")).split("\0");
    rest = rows.pop() ?? "";
    count += rows.filter((row) => row.startsWith("-\t-\t")).length;
  }
  return count;
}

/**
 * Streams the diff between two commits of the scratch repository. The `.gitattributes` in its work tree apply.
 * @param binary whether the diff contains the content of binary files
 * @throws GitError before the end if git fails
 */
export function streamDiff(
  { worktree, stream }: ScratchRepository,
  from: string,
  to: string,
  binary: boolean,
): AsyncIterable<Uint8Array> {
  const options = binary ? [...diffOptions, "--binary"] : diffOptions;
  return stream(["diff", ...options, from, to], { worktree });
}
