import type { Pushed, RefDifference } from "../mirror/push.ts";

/** Receives what `restore` does. output/ implements it. */
export interface RestoreReport {
  progress(line: string): void;
  restored(facts: RestoredStep & { readonly folder: string }): void;
  pushed(facts: RestoredStep & PushedRefs & { readonly url: string }): void;
  failed(facts: RestoreFailure): void;
}

/** Where a push succeeded in part, it comes with the facts of it. */
export interface RestoreFailure extends Partial<PushedRefs> {
  readonly place: string;
  readonly folder?: string;
  readonly url?: string;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly step?: number;
  readonly state?: string;
  readonly differences?: readonly RefDifference[];
}

export interface RestoredStep {
  readonly place: string;
  readonly step: number;
  /** The id of the step's state. */
  readonly state: string;
}

export interface PushedRefs extends Omit<Pushed, "differences"> {
  /** How many large files the host did not have. */
  readonly largeFiles: number;
  /** Where HEAD leads in the mirror and on the host, which no push can change; null where that is the same. */
  readonly head: { readonly wanted: string; readonly found: string | null } | null;
}
