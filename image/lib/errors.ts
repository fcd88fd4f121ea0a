/**
 * An error for the person who must act. `code` is stable and documented (docs/output.md). The message names what
 * failed and why; `remedy` is what to do.
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

/** The configuration is wrong, and nothing was contacted. `problems` has one sentence for each mistake. */
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

/** A limit was reached: the deadline, the largest diff, the lease, or a signal that stops the run. */
export class LimitError extends Failure {}

export type { Failure };

/** Returns whether an error is one of the classes above. Any other error is a defect. */
export const isFailure = (error: unknown): error is Failure => error instanceof Failure;

/** Returns whether the host answered and refused this one request. Another request may still succeed. */
export const isRefusal = (error: unknown): error is GitError =>
  error instanceof GitError && error.code === "git-refused";
