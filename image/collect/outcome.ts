import type { CompleteStep } from "../chain/record.ts";

/** What a run did for one repository. */
export type Outcome =
  | { readonly status: "unchanged"; readonly commit: string }
  /** The repository has no commit yet. */
  | { readonly status: "empty" }
  /** Another run owns the newest step, at most until then. */
  | { readonly status: "locked"; readonly record: string; readonly until: string }
  | { readonly status: "collected"; readonly steps: readonly CollectedStep[] };

export interface CollectedStep {
  readonly record: CompleteStep;
  /** Where its diff is stored, for people; null where the commits change nothing in sum. */
  readonly storedAt: string | null;
}
