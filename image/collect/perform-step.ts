import type { Claim } from "../chain/claim.ts";
import type { Acceptance } from "../chain/decide.ts";
import { type ClaimedStep, type CompleteStep, diffName, planStep } from "../chain/record.ts";
import type { Fetched } from "../fetch/fetch-step.ts";
import type { Head } from "../fetch/head.ts";
import { GitError, isFailure } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { settleAll } from "../lib/settle.ts";
import type { Cursor } from "../stores/stores.ts";
import { completeRecord, noChange, type StepResult } from "./complete-record.ts";
import type { Context } from "./context.ts";
import { addFacts, isStored, readStoredDiff, storeDiff } from "./store-diff.ts";

/** A step that was taken over from another run, which may have stored its diff. */
export interface Takeover {
  /** What to record in the step's place where the cursor was set by hand since. */
  readonly instead: Acceptance | undefined;
  readonly cursor: Cursor | undefined;
}

export interface PerformedStep {
  readonly completed: Claim<CompleteStep>;
  /** The head, which is newer than the given one if the step's own end was lost. */
  readonly head: Head;
}

/**
 * Performs a claimed step: fetches it, stores its diff, completes its record.
 * @throws GitError, StoreError, LimitError; all of them free the step for the next run
 */
export async function performStep(
  context: Context,
  claim: Claim<ClaimedStep>,
  head: Head,
  takeover: Takeover | undefined,
): Promise<PerformedStep> {
  try {
    if (takeover?.instead) {
      return { completed: await acceptInstead(context, claim, takeover.instead, takeover.cursor), head };
    }
    const stored = takeover && (await findStoredResult(context, claim.record));
    if (stored) return { completed: await complete(context, claim, stored), head };
    // The head may have moved on from a commit that no run can collect, of which this one may know nothing.
    if (takeover && claim.record.to !== head.commit)
      await claim.amend(planAgain(context, claim.record, head));
    for (;;) {
      const result = await fetchAndStore(context, claim, head);
      if ("result" in result) return { completed: await complete(context, claim, result.result), head };
      // A run that is killed after this leaves the amended step, and nothing is stored under its former name.
      await claim.amend(result.plan);
      head = result.head;
    }
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** The result of an attempt, still under way maybe, or another plan for the step because one of its ends was lost. */
type Attempt =
  | { readonly result: StepResult | Promise<StepResult> }
  | { readonly plan: Partial<ClaimedStep>; readonly head: Head };

async function fetchAndStore(context: Context, claim: Claim<ClaimedStep>, head: Head): Promise<Attempt> {
  const { from, to, last, scheduled } = claim.record;
  // The branch went back to where the step begins.
  if (to === last) return { result: noChange };
  const fetched = await fetchEnds(context, from, to);
  if (typeof fetched === "object" && "strategy" in fetched) {
    return { result: storeDiff(context, claim, fetched) };
  }
  const at = new Date(scheduled);
  if (fetched === "from lost") {
    if (context.settings.onGoneCommit === "fail") throw commitGone(from);
    return { plan: { kind: "restarted", from: emptyTree, diff: diffName(emptyTree, to, at) }, head };
  }
  const latest = (await context.steps.readHead()) ?? head;
  if (latest.commit === to) throw fetched.error;
  return { plan: planStep(last ?? undefined, latest.commit, at), head: latest };
}

/** Plans a step anew that its run has left without a diff: to the present head, with this run's settings. */
const planAgain = (
  { settings }: Context,
  { last }: ClaimedStep,
  { commit, ref }: Head,
): Partial<ClaimedStep> => ({
  ...planStep(last ?? undefined, commit, settings.scheduledTime),
  ref,
  binary: settings.binary,
  scheduled: settings.scheduledTime.toISOString(),
});

/**
 * Returns the result of a step whose diff another run has stored; undefined where it has not, or where the object of this
 * name is another one. The step is fetched to find that out, and for the facts that a record should have. Where that fails,
 * it is complete without them.
 */
async function findStoredResult(context: Context, record: ClaimedStep): Promise<StepResult | undefined> {
  if (!(await isStored(context.stores.objects, record.diff))) return undefined;
  const stored = await readStoredDiff(context.stores.objects, record.diff);
  try {
    const fetched = await fetchEnds(context, record.from, record.to);
    if (typeof fetched === "object" && "strategy" in fetched)
      return await addFacts(context, record, fetched, stored);
  } catch (error) {
    if (!isFailure(error)) throw error;
  }
  return stored;
}

/** Fetches a claimed step, or returns which end the host has lost. @throws GitError */
async function fetchEnds(
  { steps }: Context,
  from: string,
  to: string,
): Promise<Fetched | "from lost" | { readonly lost: "to"; readonly error: GitError }> {
  try {
    const fetched = await steps.fetch({ from: from === emptyTree ? undefined : from, to });
    return fetched === "gone" ? "from lost" : fetched;
  } catch (error) {
    if (error instanceof GitError && error.code === "head-moved") return { lost: "to", error };
    throw error;
  }
}

/** Completes a step whose diff another run stored, or makes its record accept the cursor. */
async function acceptInstead(
  context: Context,
  claim: Claim<ClaimedStep>,
  instead: Acceptance,
  cursor: Cursor | undefined,
): Promise<Claim<CompleteStep>> {
  const { record } = claim;
  const stored = await findStoredResult(context, record);
  if (stored) return complete(context, claim, stored);
  const { to } = instead;
  // In one write. Between two, a crash would leave a step that begins here, and no trace of where the chain ended.
  const accepting = {
    ...record,
    ...planStep(to, to, new Date(record.scheduled)),
    last: to,
    cursor: cursor?.identity ?? null,
    ...instead,
  };
  return claim.complete(await completeRecord(context, accepting, noChange));
}

async function complete(
  context: Context,
  claim: Claim<ClaimedStep>,
  result: StepResult | Promise<StepResult>,
): Promise<Claim<CompleteStep>> {
  // Both take time. Then the record, whose diff may have got another name meanwhile.
  const [facts] = await settleAll(result, context.steps.gitVersion());
  return claim.complete(await completeRecord(context, claim.record, facts));
}

const commitGone = (from: string) =>
  new GitError(
    "commit-gone",
    `The host no longer has the last collected commit ${from}: history was rewritten.`,
    "Set ON_GONE_COMMIT to baseline to start a new baseline, or set the cursor to an existing commit.",
  );
