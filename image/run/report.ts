import type { Outcome } from "../collect/outcome.ts";
import type { Repository } from "../config/repository.ts";
import type { MirrorOutcome } from "../mirror/outcome.ts";

/** What a run did for one repository. */
export type Result = Outcome | MirrorOutcome;

/** Receives what a run does. output/ implements it. */
export interface RunReport {
  /** Undefined where nobody reads it: then no progress is requested. */
  readonly progress?: (repository: string, line: string) => void;
  outcome(repository: Repository, outcome: Result): void;
  failed(repository: Repository, error: unknown): void;
  /** Everything is collected, but not added to the tables in this place. */
  tablesFailed(place: string, error: unknown): void;
  /** Everything is collected and in the tables, but this page of them is still the one before. The run has not failed. */
  reportFailed(place: string, error: unknown): void;
  summary(summary: Summary): void;
}

/** The result of a whole run. The numbers count repositories. */
export interface Summary {
  readonly repositories: number;
  readonly collected?: number;
  readonly mirrored?: number;
  readonly unchanged: number;
  readonly empty: number;
  readonly locked: number;
  /** The number of repositories that failed. */
  readonly failures: number;
  /** The labels of the first 100 of them. */
  readonly failed: readonly string[];
  readonly seconds: number;
}
