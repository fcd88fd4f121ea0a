import type { CompleteMirrorStep } from "./record.ts";

/** What a run did for one mirror. */
export type MirrorOutcome =
  | { readonly status: "unchanged"; readonly state: string }
  /** The repository has no ref yet. */
  | { readonly status: "empty" }
  /** Another run owns the newest step, at most until then. */
  | { readonly status: "locked"; readonly record: string; readonly until: string }
  | {
      readonly status: "mirrored";
      readonly steps: readonly CompleteMirrorStep[];
      readonly storedAt: string;
      /** Why the run ended after these steps, where it did not end well. */
      readonly failure?: unknown;
    };
