import type { Repository } from "../config/repository.ts";
import type { Finding } from "./finding.ts";

/** Receives the results of `verify`. output/ implements it. */
export interface VerifyReport {
  progress(repository: string, line: string): void;
  verified(repository: Repository, verification: Verification): void;
  failed(repository: Repository, error: unknown): void;
  summary(summary: VerifySummary): void;
}

/** The result for one repository. */
export interface Verification {
  readonly findings: readonly Finding[];
  /** The number of records in the chain. */
  readonly steps: number;
  /** The number and the bytes of all diffs at the destination. */
  readonly diffs: number;
  readonly bytes: number;
  /** The commit at which the chain ends; null where there is none. */
  readonly to: string | null;
  /** The number of replayed steps; null without `--replay`. */
  readonly replayed: number | null;
}

/** The result for all repositories. */
export interface VerifySummary {
  readonly repositories: number;
  /** The number of repositories whose chain holds. */
  readonly verified: number;
  readonly problems: number;
  readonly notes: number;
  /** The labels of the repositories whose chain does not hold, or could not be read. */
  readonly failed: readonly string[];
  readonly seconds: number;
}
