import type { Cursor } from "../stores/stores.ts";
import type { ClaimedStep, CompleteStep, StepRecord } from "./record.ts";

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

/** What a record says that moves nothing: the chain goes on where the cursor was found. */
export interface Adoption {
  readonly to: string;
  /** Where the chain ended, if that is elsewhere. */
  readonly expected: string | null;
  /** The number of the step that follows: greater than the cursor's version, by which a single look finds it. */
  readonly next: number;
}

export type Decision =
  /** There is nothing to collect. */
  | { readonly do: "rest" }
  /** A run that may still be at work owns the newest step. */
  | { readonly do: "leave"; readonly tail: StepRecord }
  /** Claim the step of this number, from this commit. */
  | { readonly do: "claim"; readonly number: number; readonly from: string | undefined }
  /** Say in a record of this number that the chain goes on elsewhere. */
  | { readonly do: "adopt"; readonly number: number; readonly adoption: Adoption }
  /** The newest step was left unfinished: finish that very step; or, unless its diff is there, adopt in its place. */
  | { readonly do: "finish"; readonly tail: ClaimedStep; readonly instead?: Adoption }
  /** The newest step is complete and the cursor is not there yet: move it. */
  | { readonly do: "move"; readonly tail: CompleteStep }
  /** The cursor was deleted: make it again where the chain ends. */
  | { readonly do: "restore"; readonly to: string };

/**
 * Decides what a run does next. The step records are the truth: a chain in which the newest alone says which number
 * comes next, and only one run can create the record of that number. The cursor follows the chain, and is how a person
 * says where to go on.
 *
 * Every crash leaves the records and the cursor in one of the states below; each comment says which.
 */
export function decide({ cursor, tail, head, now, leaseMilliseconds }: View): Decision {
  if (tail !== undefined) {
    const live = now < Date.parse(tail.claimed) + leaseMilliseconds;
    const untouched = tail.cursor === (cursor?.identity ?? null);

    // Killed after the claim, before or after the diff was stored. When the lease is over, whoever comes finishes it.
    // If the cursor was set by hand since, nobody asks for the step any more, and it might be one that cannot be
    // finished; but if its diff is there, it has to have its place in the chain.
    if (tail.state === "claimed") {
      if (live) return { do: "leave", tail };
      if (untouched || cursor === undefined) return { do: "finish", tail };
      return { do: "finish", tail, instead: adopt(cursor, tail.number, tail.last) };
    }
    if (cursor?.commit !== tail.to) {
      // Killed after the record was completed, before the cursor moved. While the lease lasts, its owner may still do it.
      if (untouched) return live ? { do: "leave", tail } : { do: "move", tail };
      // Deleted, by mistake: the chain knows where it was.
      if (cursor === undefined) return { do: "restore", to: tail.to };
      // Else set by hand: see below.
    }
  }
  // Killed after the move, or never; or before the very first claim.
  if (head === cursor?.commit) return { do: "rest" };
  const number = nextNumber(tail);

  // The cursor was set by hand, or left by the bash version: that is obeyed, once the chain says so. It says so too
  // where only the cursor's version ran ahead, by a write that was sent twice say.
  if (cursor !== undefined && (cursor.commit !== tail?.to || cursor.version >= number)) {
    return { do: "adopt", number, adoption: adopt(cursor, number, tail?.to ?? null) };
  }
  return { do: "claim", number, from: cursor?.commit };
}

const adopt = ({ commit, version }: Cursor, number: number, end: string | null): Adoption => ({
  to: commit,
  expected: end === commit ? null : end,
  next: Math.max(number, version) + 1,
});

/** Told by the newest record alone: of all that want to go on from it, whatever cursor they saw, only one can. */
const nextNumber = (tail: StepRecord | undefined): number =>
  tail === undefined ? 1 : (tail.next ?? tail.number + 1);
