import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";

/** Maps git's stderr to our errors; the first match counts. git tells its errors apart by nothing but these words. */
const errorPatterns: readonly (readonly [pattern: RegExp, code: string, message: string, remedy: string])[] =
  [
    [
      /dubious ownership/,
      "git-denied",
      "The folder belongs to another user, and git does not trust its configuration",
      "Run as that user.",
    ],
    [
      /does not appear to be a git repository/,
      "git-not-found",
      "There is no git repository in this folder",
      "Give the folder that contains the .git folder.",
    ],
    [
      /No space left on device/,
      "git-disk-full",
      "The disk is full",
      "Give the task more ephemeral storage, or set TMPDIR to a larger disk.",
    ],
  ];

/** Returns the error for a git process that failed. */
export function exitError(
  args: readonly string[],
  status: number | NodeJS.Signals,
  stderr: string,
): GitError {
  const excerpt = printable(stderr).replace(/\s+/g, " ").slice(-600) || "(no message)";
  const end = `git ${args[0]} ended with ${typeof status === "number" ? `status ${status}` : status}: ${excerpt}`;
  if (typeof status !== "number") {
    return new GitError("git-killed", `git was killed: ${end}`, "Give the task more memory, if it ran out.");
  }
  const [, code, message, remedy] = errorPatterns.find(([pattern]) => pattern.test(stderr)) ?? [
    undefined,
    // What the host sent may be the reason, and another request may succeed.
    args[0] === "index-pack" ? "git-refused" : "git-failed",
    "git failed",
    "See git's message.",
  ];
  return new GitError(code, `${message}: ${end}`, remedy);
}
