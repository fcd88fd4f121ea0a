import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";

/** Returns the error for an answer that ends before its time. */
export const cutOff = (cause?: unknown) =>
  new GitError(
    "git-cut-off",
    "The host's answer broke off before its end.",
    "The next run tries again. If it happens again, check the host and the network.",
    { cause },
  );

/** Returns the error for an answer that is not of git's protocol. */
export const notGit = (reason: string) =>
  new GitError(
    "git-not-found",
    `The answer is not of git's protocol: ${reason}.`,
    "Check the URL, and whether something in between, such as a login page, answers instead.",
  );

/** Returns the error for a request that the host understood and refused. `message` is the host's own. */
export const refused = (message: string) =>
  new GitError("git-refused", `The host refused the request: ${excerpt(message)}`, "See the host's message.");

/** Returns the error for an answer that is larger than any honest one. */
export const tooMuch = (what: string, limit: string) =>
  new GitError(
    "answer-too-large",
    `The host sent more than ${limit} of ${what}, and was stopped.`,
    "Check the host. If the repository really is that large, leave it out.",
  );

const excerpt = (message: string): string =>
  printable(message).replace(/\s+/g, " ").trim().slice(-600) || "(no message)";
