import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Remote } from "../fetch/remote.ts";
import { LimitError } from "../lib/errors.ts";
import { lineReader } from "./sections.ts";

/** git's empty tree, what a baseline is a diff from. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/** What a diff holds, counted from its own bytes. */
export interface Contents {
  bytes: number;
  sha256: string;
  files: number;
  binaryFiles: number;
  linesAdded: number;
  linesRemoved: number;
}

/** Every byte of the diff follows from the two commits, git's version and these; see the README's section on bytes. */
export const diffOptions = [
  "--full-index",
  "--find-renames",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--no-relative",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  // A .gitmodules could hide a submodule's bump, and the diffs would no longer add up to the tree.
  "--ignore-submodules=none",
  "--submodule=short",
];

/**
 * The diff between two commits of the scratch repository, the `.gitattributes` of `to` applied as in a checkout.
 * @param binary whether the content of binary files is in it too
 * @throws GitError before the end if git fails
 */
export function openDiff(
  remote: Remote,
  from: string,
  to: string,
  binary: boolean,
): AsyncIterable<Uint8Array> {
  const options = binary ? [...diffOptions, "--binary"] : diffOptions;
  return remote.stream(["diff", ...options, from, to], { worktree: worktreeOf(remote) });
}

const worktreeOf = (remote: Remote): string => join(remote.directory, "worktree");

const attributes = ":(top,glob)**/.gitattributes";

/** The ids of every `.gitattributes` in the commit's tree. */
export async function attributesIn(remote: Remote, commit: string): Promise<string[]> {
  const found: string[] = [];
  for await (const [change = ""] of rawChanges(remote, emptyTree, commit, [attributes])) {
    const [, mode = "", , id = ""] = change.split(" ");
    // git reads them only from ordinary files, never through a link or from a submodule of that name.
    if (mode.startsWith("100")) found.push(id);
  }
  return found;
}

/**
 * Puts the `.gitattributes` files of a commit, and nothing else, into the worktree, where `git diff` reads them: in a
 * bare repository it ignores them, and `--attr-source` is not in every git.
 */
export async function checkOutAttributes(remote: Remote, commit: string): Promise<void> {
  const worktree = worktreeOf(remote);
  await remote.run(["checkout", "--quiet", commit, "--", attributes], { worktree });
}

/** The ids of all files that the diff reads, those of which only the mode changed included. */
export async function changedBlobs(remote: Remote, from: string, to: string): Promise<string[]> {
  const blobs: string[] = [];
  for await (const [change = ""] of rawChanges(remote, from, to, [])) {
    const [modeBefore = "", modeAfter = "", before = "", after = ""] = change.slice(1).split(" ");
    if (/^100|^120/.test(modeBefore)) blobs.push(before);
    if (/^100|^120/.test(modeAfter)) blobs.push(after);
  }
  return blobs;
}

/** Pairs of `:mode mode id id status` and path, from git's raw format. */
async function* rawChanges(
  remote: Remote,
  from: string,
  to: string,
  paths: readonly string[],
): AsyncGenerator<string[]> {
  const raw = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", from, to, "--", ...paths];
  let rest = "";
  for await (const chunk of remote.stream(raw)) {
    const fields = (rest + Buffer.from(chunk).toString("latin1")).split("\0");
    // A change is whole once its path is: keep what follows the last even NUL.
    const whole = (fields.length - 1) & ~1;
    for (let index = 0; index < whole; index += 2) yield fields.slice(index, index + 2);
    rest = fields.slice(whole).join("\0");
  }
}

/**
 * Passes the diff on and counts it into `contents` on the way.
 * @throws LimitError as soon as it is larger than `maxBytes`
 */
export async function* count(
  diff: AsyncIterable<Uint8Array>,
  contents: Contents,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  const lines = lineCounter(contents);
  for await (const chunk of diff) {
    contents.bytes += chunk.length;
    if (contents.bytes > maxBytes) {
      throw new LimitError(
        "diff-too-large",
        `The diff is larger than MAX_DIFF_BYTES (${maxBytes} bytes).`,
        "Raise MAX_DIFF_BYTES to have it stored; until then the next run meets the same diff, or a larger one.",
      );
    }
    hash.update(chunk);
    lines(chunk);
    yield chunk;
  }
  contents.sha256 = hash.digest("hex");
}

const [plus, minus] = [..."+-"].map((character) => character.charCodeAt(0));

/** Counts files and lines in the bytes of a diff. */
function lineCounter(contents: Contents): (chunk: Uint8Array) => void {
  return lineReader({
    header(line) {
      if (line.startsWith("diff --git ")) contents.files++;
      if (line.startsWith("Binary files ") || line === "GIT binary patch") contents.binaryFiles++;
    },
    mark(byte) {
      if (byte === plus) contents.linesAdded++;
      if (byte === minus) contents.linesRemoved++;
    },
  });
}
