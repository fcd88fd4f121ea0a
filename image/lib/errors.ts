/**
 * What the person who must act is told: `code` is stable and documented in the README, the message says what
 * happened to what, `remedy` what to do about it.
 */
class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The configuration is wrong; `problems` has one sentence for each mistake. Nothing was contacted. */
export class ConfigError extends Failure {
  constructor(readonly problems: string[]) {
    super(
      "configuration",
      problems.join(" "),
      "Correct the configuration and start again; nothing was contacted.",
    );
  }
}

/** The git host, or git itself, refused or failed. */
export class GitError extends Failure {}

/** The cursor cannot be trusted, read or moved. */
export class CursorError extends Failure {}

/** The store of diffs and step records cannot be read or written. */
export class StoreError extends Failure {}

/** A bound was reached: the deadline, the largest diff, or the run was told to stop. */
export class LimitError extends Failure {}

export type { Failure };

/** Whether an error is one of ours, made for people; anything else is a defect. */
export const isFailure = (error: unknown): error is Failure => error instanceof Failure;

/** Whether the host may allow something else: it was reached, and said no to this one request. */
export const isRefusal = (error: unknown): error is GitError =>
  error instanceof GitError && error.code === "git-refused";
