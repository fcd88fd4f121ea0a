import type { Cursor } from "../stores/stores.ts";
import { type ClaimedStep, type CompleteStep, leaseEnd, type StepRecord } from "./record.ts";

/** What a run sees of a repository. */
export interface View {
  readonly cursor: Cursor | undefined;
  /** The newest step record. */
  readonly tail: StepRecord | undefined;
  /** The commit of the followed branch. */
  readonly head: string;
  /** In milliseconds since 1970. */
  readonly now: number;
  /** How long a claimed step belongs to the run that claimed it, where its record does not say so. */
  readonly leaseMilliseconds: number;
}

/** The content of a record that accepts a cursor set elsewhere: the chain continues there, and nothing is stored. */
export interface Acceptance {
  readonly to: string;
  /** Where the chain ended, if that is another commit. */
  readonly expected: string | null;
  /** The next step's number. It is greater than the cursor's version, so that one read finds that step's record. */
  readonly next: number;
}

export type Decision =
  /** There is nothing to collect. */
  | { readonly action: "up-to-date" }
  /** Another run owns the newest step, and may be at work on it. */
  | { readonly action: "wait"; readonly tail: StepRecord }
  /** Claim the step of this number, from this commit. */
  | { readonly action: "claim"; readonly number: number; readonly from: string | undefined }
  /** Accept the cursor in a record of this number. */
  | { readonly action: "accept-cursor"; readonly number: number; readonly acceptance: Acceptance }
  /** Complete the newest step, which its run left. With `instead` and no stored diff, accept the cursor in its place. */
  | { readonly action: "resume"; readonly tail: ClaimedStep; readonly instead?: Acceptance }
  /** The newest step is complete, and the cursor is behind: move it. */
  | { readonly action: "advance-cursor"; readonly tail: CompleteStep }
  /** The cursor was deleted: create it again where the chain ends. */
  | { readonly action: "recreate-cursor"; readonly to: string };

/**
 * Decides what a run does next. The step records are the truth. They form a chain: the newest record alone gives the
 * next number, and only one run can create the record of that number. The cursor follows the chain, and lets a person
 * choose where to continue.
 *
 * Every crash leaves the records and the cursor in one of the states below.
 */
export function decide({ cursor, tail, head, now, leaseMilliseconds }: View): Decision {
  if (tail !== undefined) {
    const live = now < leaseEnd(tail, leaseMilliseconds);
    const untouched = tail.cursor === (cursor?.identity ?? null);

    // A crash after the claim, before or after the diff was stored. Once the lease has expired, any run completes it.
    // If the cursor was set by hand since, nobody needs the step any more, and it may be impossible to complete. If its
    // diff is stored, the step keeps its place in the chain.
    if (tail.state === "claimed") {
      if (live) return { action: "wait", tail };
      if (untouched || cursor === undefined) return { action: "resume", tail };
      return { action: "resume", tail, instead: accept(cursor, tail.number, tail.last) };
    }
    if (cursor?.commit !== tail.to) {
      // A crash after the record was completed, before the cursor moved. During the lease, its owner may still move it.
      if (untouched) return live ? { action: "wait", tail } : { action: "advance-cursor", tail };
      // The cursor was deleted by mistake. The chain knows where it was.
      if (cursor === undefined) return { action: "recreate-cursor", to: tail.to };
      // The cursor was set by hand: see below.
    }
  }
  // A crash after the cursor moved, before the first claim, or no crash at all.
  if (head === cursor?.commit) return { action: "up-to-date" };
  const number = nextNumber(tail);

  // The cursor was set by hand, or left by the bash version. It counts, once a record of the chain accepts it. The same
  // holds where only the cursor's version ran ahead, for example by a write that was sent twice.
  if (cursor !== undefined && (cursor.commit !== tail?.to || cursor.version >= number)) {
    return { action: "accept-cursor", number, acceptance: accept(cursor, number, tail?.to ?? null) };
  }
  return { action: "claim", number, from: cursor?.commit };
}

const accept = ({ commit, version }: Cursor, number: number, end: string | null): Acceptance => ({
  to: commit,
  expected: end === commit ? null : end,
  next: Math.max(number, version) + 1,
});

/** Returns the next number, from the newest record alone: whatever cursors runs saw, only one can continue from it. */
const nextNumber = (tail: StepRecord | undefined): number =>
  tail === undefined ? 1 : (tail.next ?? tail.number + 1);
