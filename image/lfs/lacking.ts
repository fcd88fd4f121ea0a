import { GitError } from "../lib/errors.ts";

/** Returns the error of a large file that cannot be had now. @param reason a sentence without its period */
export const lacking = (reason: string, cause?: unknown) =>
  new GitError("lfs-missing", reason, "The next run asks for it again.", { cause });
