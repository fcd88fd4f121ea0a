/** A result of `verify`. docs/verify.md lists all of them. */
export interface Finding {
  readonly code: string;
  /** A problem breaks the chain, or would mislead a reader of the diffs. A note explains something unusual. */
  readonly level: "problem" | "note";
  /** The name of the object, or of the cursor. */
  readonly object: string;
  /** What was found, and what it means. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  /** The files that it is about. */
  readonly paths?: readonly string[];
}

export const problem = (code: string, object: string, message: string, remedy: string): Finding => ({
  code,
  level: "problem",
  object,
  message,
  remedy,
});

export const note = (code: string, object: string, message: string, remedy: string): Finding => ({
  code,
  level: "note",
  object,
  message,
  remedy,
});

export const isProblem = ({ level }: Finding): boolean => level === "problem";

/** The remedy for a lost or damaged object. */
export const restore =
  "Restore it from the bucket's versions or a backup. Without one, start a new baseline: everything before it is lost.";
