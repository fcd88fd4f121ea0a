import { leaseEnd, recordName, type StepKind, type StepRecord } from "../chain/record.ts";
import type { ChainRecord } from "../chain/record-store.ts";
import { emptyTree } from "../lib/object-id.ts";
import { type Finding, note, problem, restore } from "./finding.ts";

/** Returns where the cursor was when the step was claimed. */
export const startOf = ({ kind, from, last }: StepRecord): string =>
  kind === "restarted" ? (last ?? emptyTree) : from;

/** Checks that a step begins where the one before it ended. */
export function checkLink(record: StepRecord, before: StepRecord): Finding | undefined {
  const [name, previous] = [recordName(record.number), recordName(before.number)];
  const start = record.expected ?? record.last ?? emptyTree;
  if (start !== before.to) {
    const message = `${name} begins at ${start}, but ${previous}, the step before, ended at ${before.to}: the changes in between are in no diff.`;
    return problem("gap", name, message, restore);
  }
  const [ended, begins] = [treeAfter(before), record.expected === null ? treeBefore(record) : null];
  if (ended === null || begins === null || ended === begins) return undefined;
  const message = `${name} begins with the tree ${begins}, but ${previous} ended with ${ended}: one of them was changed.`;
  return problem("record-inconsistent", name, message, restore);
}

const treeAfter = (record: StepRecord) => (record.state === "complete" ? record.toTree : null);

const treeBefore = (record: StepRecord) =>
  record.state === "complete" && record.kind !== "restarted" ? record.fromTree : null;

/** Checks that the fields of a record agree with each other. */
export function checkConsistency(record: StepRecord): Finding | undefined {
  const { kind, from, last, diff } = record;
  const begins: Record<StepKind, boolean> = {
    baseline: from === emptyTree && (last === null || last === emptyTree || record.expected !== null),
    restarted: from === emptyTree && last !== null,
    change: from === last,
    rewritten: from === last,
  };
  // A diff has bytes, and no diff has none.
  const stored =
    record.state === "claimed" || record.bytes === null || (diff === null) === (record.bytes === 0);
  if (begins[kind] && stored) return undefined;
  const name = recordName(record.number);
  const message = `${name} contradicts itself (kind ${kind}, from ${from}, last ${last}, diff ${diff}): it was changed.`;
  return problem("record-inconsistent", name, message, restore);
}

/** Notes that the cursor was set by hand before this step. */
export function checkExpected({ number, from, expected }: StepRecord): Finding | undefined {
  if (expected === null) return undefined;
  const name = recordName(number);
  const message = `Before ${name}, the cursor was set by hand from ${expected} to ${from}: the changes in between are skipped, or collected twice.`;
  return note(
    "cursor-was-set",
    name,
    message,
    "Nothing, if that was intended. Sums of diffs begin anew there.",
  );
}

/** Explains a step that is claimed and not complete. */
export function checkUnfinished(
  step: ChainRecord & Pick<StepRecord, "state">,
  isLast: boolean,
  now: number,
  leaseMilliseconds: number,
): Finding | undefined {
  if (step.state === "complete") return undefined;
  const name = recordName(step.number);
  if (!isLast) {
    const message = `${name} is unfinished, but other steps follow it: it was changed, or an older version of it was restored.`;
    return problem("unfinished", name, message, restore);
  }
  const until = leaseEnd(step, leaseMilliseconds);
  if (now < until) {
    const message = `${name} is unfinished: a run has claimed it, and may be at work on it until ${new Date(until).toISOString()}.`;
    return note("unfinished", name, message, "Nothing. Verify again after that time.");
  }
  const message = `${name} is unfinished: the run that claimed it has failed or died. Nothing is lost.`;
  const remedy = "Nothing: the next run completes it. Start one, or find out why none runs.";
  return note("unfinished", name, message, remedy);
}
