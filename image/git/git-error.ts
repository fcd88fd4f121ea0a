import { GitError } from "../lib/errors.ts";
import { printable } from "./stderr.ts";

/** Maps git's stderr to our errors; the first match counts. git tells its errors apart by nothing but these words. */
const errorPatterns: readonly (readonly [pattern: RegExp, code: string, message: string, remedy: string])[] =
  [
    [
      /CONNECT tunnel|returned error: 407|resolve proxy|Unsupported proxy/,
      "git-unreachable",
      "The proxy refused the request",
      "Check HTTPS_PROXY and NO_PROXY.",
    ],
    [
      /returned error: 40[13]|HTTP 40[13]|Authentication failed|could not read (Username|Password)/,
      "git-denied",
      "The host denied access",
      "Check the credentials, and their permission to read this repository.",
    ],
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
      /returned error: (404|410|451)|repository .* not found|valid: is this a git repository/i,
      "git-not-found",
      "The repository does not exist, or these credentials may not see it",
      "Check the URL and the credentials.",
    ],
    [
      /returned error: 30[1278]/,
      "git-moved",
      "The host answered with a redirect, and credentials never follow a redirect",
      "Set the URL to the repository's present address.",
    ],
    [
      /No space left on device/,
      "git-disk-full",
      "The disk is full",
      "Give the task more ephemeral storage, or set TMPDIR to a larger disk.",
    ],
    [
      /mismatched algorithms/,
      "git-failed",
      "The repository uses SHA-256, which is not supported",
      "Collect a repository that uses SHA-1.",
    ],
    [
      /remote error|not our ref|unadvertised|does not support|(returned error:|HTTP) 4(?!29|08)\d\d/,
      "git-refused",
      "The host refused the request",
      "See the host's message.",
    ],
    [
      /Could not resolve|Failed to connect|Couldn't connect|Connection (refused|timed out)|SSL|certificate|returned error: (5\d\d|429|408)|Empty reply/i,
      "git-unreachable",
      "The host could not be reached",
      "Check the URL, the network, the proxy and the certificate authority (GIT_SSL_CAINFO).",
    ],
    [
      /early EOF|unexpected disconnect|hung up|transfer closed|RPC failed|too slow|unable to access/i,
      "git-cut-off",
      "The connection broke",
      "The next run tries again. If it happens again, check the host and the network.",
    ],
  ];

/** Returns the error for a git process that failed. */
export function exitError(
  args: readonly string[],
  status: number | NodeJS.Signals,
  stderr: string,
  redact: (text: string) => string,
): GitError {
  if (typeof status === "number") return gitError(args, stderr, redact, `ended with status ${status}`);
  const message = `git was killed: git ${args[0]} ended with ${status}: ${excerpt(stderr, redact)}`;
  return new GitError("git-killed", message, "Give the task more memory, if it ran out.");
}

/** Returns the error for a git command, or a host's answer to one, that ended with these words. */
export function gitError(
  args: readonly string[],
  stderr: string,
  redact: (text: string) => string,
  end = "was refused",
): GitError {
  // Both depend on what the host sent, and another request may succeed.
  const fallback = args[0] === "fetch" || args[0] === "index-pack" ? "git-refused" : "git-failed";
  const [, code, message, remedy] = errorPatterns.find(([pattern]) => pattern.test(stderr)) ?? [
    undefined,
    fallback,
    "git failed",
    "See git's message.",
  ];
  return new GitError(code, `${message}: git ${args[0]} ${end}: ${excerpt(stderr, redact)}`, remedy);
}

const excerpt = (stderr: string, redact: (text: string) => string): string =>
  redact(printable(stderr)).replace(/\s+/g, " ").slice(-600) || "(no message)";
