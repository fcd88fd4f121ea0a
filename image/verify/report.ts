import type { Finding } from "./finding.ts";

/** What is verified: the results of a repository, or a mirror. */
export interface Subject {
  /** Its name for people. */
  readonly label: string;
  /** Its name for programs: `repository` and perhaps `branch`, or `place`. */
  readonly name: object;
  readonly destination: string;
}

/** Receives the results of `verify`. output/ implements it. */
export interface VerifyReport {
  progress(label: string, line: string): void;
  verified(subject: Subject, verification: Verification): void;
  failed(subject: Subject, error: unknown): void;
  summary(summary: VerifySummary): void;
}

/** The result for one subject. */
export interface Verification {
  readonly findings: readonly Finding[];
  /** The number of records in the chain. */
  readonly steps: number;
  /** The number of all diffs at the destination, or of a mirror's packs. */
  readonly diffs?: number;
  readonly packs?: number;
  /** The bytes of all of them. */
  readonly bytes: number;
  /** The commit, or the id of the state, at which the chain ends; null where there is none. */
  readonly to: string | null;
  /** The part of a mirror's packs that was read, such as 2/7; null for all. */
  readonly part?: string | null;
  /** The number of replayed steps or packs; null without `--replay`. */
  readonly replayed: number | null;
}

/** The result for all subjects. */
export interface VerifySummary {
  readonly repositories: number;
  /** The number of those whose chain holds. */
  readonly verified: number;
  readonly problems: number;
  readonly notes: number;
  /** The labels of those whose chain does not hold, or could not be read. */
  readonly failed: readonly string[];
  readonly seconds: number;
}
