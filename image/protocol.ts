import type { ClaimedStep, CompleteStep, StepRecord } from "./step.ts";
import type { Cursor } from "./stores.ts";

/** What one look at a repository shows. */
export interface View {
  readonly cursor: Cursor | undefined;
  /** The newest step record. */
  readonly tail: StepRecord | undefined;
  /** The commit the followed branch is at. */
  readonly head: string;
  /** In milliseconds since 1970. */
  readonly now: number;
  /** How long a step is left to the run that claimed it. */
  readonly leaseMilliseconds: number;
}

export type Decision =
  /** There is nothing to collect. */
  | { readonly do: "rest" }
  /** A run that may still be at work owns the newest step. */
  | { readonly do: "leave"; readonly tail: StepRecord }
  /** Claim the next step, from this commit; `expected` where the chain ends elsewhere. */
  | {
      readonly do: "claim";
      readonly number: number;
      readonly from: string | undefined;
      readonly expected?: string;
    }
  /** The newest step was left unfinished: finish that very step. */
  | { readonly do: "finish"; readonly tail: ClaimedStep }
  /** The newest step is complete and the cursor is not there yet: move it. */
  | { readonly do: "move"; readonly tail: CompleteStep }
  /** The cursor was deleted: make it again where the chain ends. */
  | { readonly do: "restore"; readonly to: string };

/**
 * Decides what a run does next. The step records are the truth: a chain in which each is claimed by creating the one
 * next number, which only one run can. The cursor follows it, and is how a person says where to go on.
 *
 * Every crash leaves the records and the cursor in one of the states below; each comment says which.
 */
export function decide({ cursor, tail, head, now, leaseMilliseconds }: View): Decision {
  // Before the first claim; the cursor may have been left by the bash version.
  if (tail === undefined) {
    if (head === cursor?.commit) return { do: "rest" };
    return { do: "claim", number: (cursor?.version ?? 0) + 1, from: cursor?.commit };
  }
  const live = now < Date.parse(tail.claimed) + leaseMilliseconds;
  const untouched = tail.cursor === (cursor?.identity ?? null);

  // Killed after the claim, before or after the diff was stored. When the lease is over, whoever comes finishes it,
  // also where the cursor was set elsewhere by hand: then the diff, if it is there, still has its place in the chain.
  if (tail.state === "claimed") return live ? { do: "leave", tail } : { do: "finish", tail };

  // Killed after the move, or never: the chain and the cursor agree.
  if (cursor?.commit === tail.to) {
    return head === tail.to
      ? { do: "rest" }
      : { do: "claim", number: next(tail, cursor), from: cursor.commit };
  }

  // Killed after the record was completed, before the cursor moved. While the lease lasts, its owner may still do it.
  if (untouched) return live ? { do: "leave", tail } : { do: "move", tail };

  // Deleted, by mistake: the chain knows where it was.
  if (cursor === undefined) return { do: "restore", to: tail.to };

  // Set by hand: that is obeyed, and the next record says so.
  if (head === cursor.commit) return { do: "rest" };
  return { do: "claim", number: next(tail, cursor), from: cursor.commit, expected: tail.to };
}

/** As a rule the version that the cursor will have then, so that the newest record is found without a search. */
const next = (tail: StepRecord, cursor: Cursor): number => Math.max(tail.number, cursor.version) + 1;
