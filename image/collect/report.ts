import type { Repository } from "../config/repository.ts";
import type { Outcome } from "./outcome.ts";

/** Receives what a run does. output/ implements it. */
export interface CollectReport {
  progress(repository: string, line: string): void;
  outcome(repository: Repository, outcome: Outcome): void;
  failed(repository: Repository, error: unknown): void;
  summary(summary: Summary): void;
}

/** The result of a whole run. The numbers count repositories. */
export interface Summary {
  readonly repositories: number;
  readonly collected: number;
  readonly unchanged: number;
  readonly empty: number;
  readonly locked: number;
  /** The labels of the repositories that failed. */
  readonly failed: readonly string[];
  readonly seconds: number;
}
