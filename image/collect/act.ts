import { Claim } from "../chain/claim.ts";
import type { Acceptance, Decision } from "../chain/decide.ts";
import {
  type ClaimedStep,
  type CompleteStep,
  leaseEnd,
  planStep,
  recordName,
  type StepRecord,
} from "../chain/record.ts";
import { type Versioned, writeRecord } from "../chain/record-store.ts";
import { LimitError } from "../lib/errors.ts";
import type { Cursor } from "../stores/stores.ts";
import { completeRecord, noChange } from "./complete-record.ts";
import type { Context } from "./context.ts";
import type { Look, Observation } from "./observe.ts";
import type { CollectedStep, Outcome } from "./outcome.ts";
import { performStep, type Takeover } from "./perform-step.ts";

/** The result of one decision: the end of the run, or how the next turn observes. */
export type Turn = { readonly step?: CollectedStep } & (
  | { readonly next: Look }
  | { readonly end: Exclude<Outcome, { status: "collected" }> }
);

/** Another run changed something, or this one did: search for what there is now. */
export const lookAgain: Turn = { next: "thorough" };

/** Acts on a decision. @throws GitError, CursorError, StoreError, LimitError */
export async function act(context: Context, seen: Observation, decision: Decision): Promise<Turn> {
  switch (decision.action) {
    case "up-to-date":
      return upToDate(seen);
    case "wait":
      return wait(context, decision.tail);
    case "claim":
      return claim(context, seen, decision.number, decision.from);
    case "accept-cursor":
      return acceptCursor(context, seen, decision.number, decision.acceptance);
    case "resume":
      return resume(context, seen, decision.tail, decision.instead);
    case "advance-cursor":
      return advanceCursor(context, seen, decision.tail);
    case "recreate-cursor":
      await context.stores.cursor.move(undefined, decision.to);
      return lookAgain;
  }
}

const upToDate = ({ head }: Observation): Turn => ({ end: { status: "unchanged", commit: head.commit } });

function wait({ settings }: Context, tail: StepRecord): Turn {
  const until = new Date(leaseEnd(tail, settings.leaseSeconds * 1_000)).toISOString();
  return { end: { status: "locked", record: recordName(tail.number), until } };
}

async function claim(
  context: Context,
  seen: Observation,
  number: number,
  from: string | undefined,
): Promise<Turn> {
  const record = newRecord(context, seen, number, from, seen.head.commit);
  return perform(context, seen, await Claim.create(context.stores.objects, record), undefined);
}

async function resume(
  context: Context,
  seen: Observation,
  record: ClaimedStep,
  instead: Acceptance | undefined,
): Promise<Turn> {
  const claim = await takeOver(context, seen, record);
  return perform(context, seen, claim, { instead, cursor: seen.cursor });
}

/** Performs a claimed step, and moves the cursor. Without a claim, another run was first. */
async function perform(
  context: Context,
  seen: Observation,
  claim: Claim<ClaimedStep> | undefined,
  takeover: Takeover | undefined,
): Promise<Turn> {
  if (claim === undefined) {
    await context.steps.stopPrefetch();
    return lookAgain;
  }
  const { completed, head } = await performStep(context, claim, seen.head, takeover);
  const { record } = completed;
  const step = { record, storedAt: record.diff && context.stores.objects.address(record.diff) };
  // The cursor was set by hand since the step was claimed, and stays where it is.
  if (takeover?.instead) return { step, next: "thorough" };
  await moveCursor(context, seen.cursor, completed);
  if (record.to !== head.commit || (await hasMoved(context, record.to))) return { step, next: "thorough" };
  return { step, end: { status: "unchanged", commit: head.commit } };
}

/** Returns whether somebody has pushed meanwhile: the run that this started has found the step locked, and ended. */
async function hasMoved({ settings, steps }: Context, commit: string): Promise<boolean> {
  if (!settings.onPush) return false;
  // The step is collected, whatever becomes of this request.
  const head = await steps.readHead().catch(() => undefined);
  return head !== undefined && head.commit !== commit;
}

async function acceptCursor(
  context: Context,
  seen: Observation,
  number: number,
  acceptance: Acceptance,
): Promise<Turn> {
  const { objects } = context.stores;
  const step = { ...newRecord(context, seen, number, acceptance.to, acceptance.to), ...acceptance };
  const tail = await writeRecord(objects, await completeRecord(context, step, noChange), undefined);
  // Everything else that was seen still holds. If it does not, the claim that follows fails.
  return tail === undefined ? lookAgain : { next: { ...seen, tail } };
}

async function advanceCursor(context: Context, seen: Observation, record: CompleteStep): Promise<Turn> {
  // Take the step over first, so that no other run continues the chain before the cursor has moved.
  const claim = await takeOver(context, seen, record);
  if (claim) await moveCursor(context, seen.cursor, claim);
  return lookAgain;
}

function newRecord(
  { settings, url, owner }: Context,
  { cursor, tail, head, now }: Observation,
  number: number,
  from: string | undefined,
  to: string,
): ClaimedStep {
  return {
    ...planStep(from, to, settings.scheduledTime),
    schemaVersion: 1,
    state: "claimed",
    number,
    repository: url,
    ref: head.ref,
    binary: settings.binary,
    last: from ?? null,
    cursor: cursor?.identity ?? null,
    previous: tail ? recordName(tail.record.number) : null,
    expected: null,
    owner,
    claimed: new Date(now).toISOString(),
    leaseSeconds: settings.leaseSeconds,
    scheduled: settings.scheduledTime.toISOString(),
  };
}

function takeOver<R extends StepRecord>(
  { stores, owner, settings }: Context,
  { tail, now }: Observation,
  record: R,
): Promise<Claim<R> | undefined> {
  const { etag } = tail as Versioned;
  const by = { owner, claimed: new Date(now).toISOString(), leaseSeconds: settings.leaseSeconds };
  return Claim.takeOver(stores.objects, { record, etag }, by);
}

/** @throws CursorError, or LimitError once another run may have taken the step over; both free the step */
async function moveCursor(
  { stores, settings, now }: Context,
  from: Cursor | undefined,
  claim: Claim<CompleteStep>,
): Promise<void> {
  const { number, to } = claim.record;
  try {
    if (now() >= leaseEnd(claim.record, settings.leaseSeconds * 1_000)) throw leaseExpired(number);
    // Also where the step ends where it began: so the cursor's version keeps up with the step's number.
    await stores.cursor.move(from, to);
  } catch (error) {
    await claim.release();
    throw error;
  }
}

const leaseExpired = (number: number) =>
  new LimitError(
    "lease-lost",
    `The run took longer than STEP_LEASE_SECONDS. Another run may have taken over its step ${recordName(number)}.`,
    "The next run continues from there. Raise STEP_LEASE_SECONDS.",
  );
