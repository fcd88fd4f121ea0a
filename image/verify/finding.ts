/** Something that `verify` found; the README's table has all of them. */
export interface Finding {
  readonly code: string;
  /** A problem breaks the chain, or a reader of the diffs would be misled; a note explains what is there. */
  readonly level: "problem" | "note";
  /** The object, or the cursor, that it is about. */
  readonly object: string;
  /** What it is and what it means. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  /** The files it is about, where it is about files. */
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

/** Where lost objects can be had from. */
export const restore =
  "Restore it from the bucket's versions or a backup; without one, start a new baseline, and take what lies before it for lost.";
