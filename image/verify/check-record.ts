import { recordName, type StepRecord } from "../chain/record.ts";
import { emptyTree } from "../diff/diff.ts";
import { type Finding, note, problem, restore } from "./finding.ts";

/** Where the cursor was when the step was claimed. */
export const startOf = ({ kind, from, last }: StepRecord): string =>
  kind === "restarted" ? (last ?? emptyTree) : from;

/** Whether a step begins where the one before it ended. */
export function checkLink(record: StepRecord, before: StepRecord): Finding | undefined {
  const [name, previous] = [recordName(record.number), recordName(before.number)];
  const start = record.expected ?? record.last ?? emptyTree;
  if (start !== before.to) {
    const message = `${name} begins at ${start}, but ${previous}, the step before, ended at ${before.to}: what lies between is in no diff.`;
    return problem("gap", name, message, restore);
  }
  const [was, is] = [treeAfter(before), record.expected === null ? treeBefore(record) : null];
  if (was === null || is === null || was === is) return undefined;
  const message = `${name} says that its first commit has the tree ${is}, but ${previous} ended with ${was}: one of them was changed.`;
  return problem("record-inconsistent", name, message, restore);
}

/** Whether a record agrees with itself. */
export function checkItself(record: StepRecord): Finding | undefined {
  const { kind, from, last, diff } = record;
  const begins: Record<StepRecord["kind"], boolean> = {
    baseline: from === emptyTree && (last === null || last === emptyTree || record.expected !== null),
    restarted: from === emptyTree && last !== null,
    change: from === last,
    rewritten: from === last,
  };
  // A diff that is not there has no bytes, and one that is there has some.
  const stored =
    record.state === "claimed" || record.bytes === null || (diff === null) === (record.bytes === 0);
  if (begins[kind] && stored) return undefined;
  const name = recordName(record.number);
  const message = `${name} contradicts itself: kind ${kind}, from ${from}, last ${last}, diff ${diff}: it was changed.`;
  return problem("record-inconsistent", name, message, restore);
}

const treeAfter = (record: StepRecord) => (record.state === "complete" ? record.toTree : null);

const treeBefore = (record: StepRecord) =>
  record.state === "complete" && record.kind !== "restarted" ? record.fromTree : null;

/** What the record itself tells that a reader should know: the cursor was set by hand before this step. */
export function checkExpected({ number, from, expected }: StepRecord): Finding | undefined {
  if (expected === null) return undefined;
  const name = recordName(number);
  const message = `Before ${name} the cursor was set by hand from ${expected} to ${from}: what lies between is skipped, or collected twice.`;
  return note(
    "cursor-was-set",
    name,
    message,
    "Nothing, if it was meant; whoever adds the diffs up starts anew there.",
  );
}

/** What it means that a step is claimed and not complete. */
export function checkUnfinished(
  step: StepRecord,
  isLast: boolean,
  now: number,
  leaseMilliseconds: number,
): Finding | undefined {
  if (step.state === "complete") return undefined;
  const name = recordName(step.number);
  if (!isLast) {
    const message = `${name} is unfinished, but steps follow on it: it was changed, or an older version of it restored.`;
    return problem("unfinished", name, message, restore);
  }
  const until = Date.parse(step.claimed) + leaseMilliseconds;
  if (now < until) {
    const message = `${name} is unfinished: a run claimed it, and may be at work on it until ${new Date(until).toISOString()}.`;
    return note("unfinished", name, message, "Nothing; verify again when it is over.");
  }
  const message = `${name} is unfinished, and the run that claimed it failed or died. Nothing is lost.`;
  return note(
    "unfinished",
    name,
    message,
    "Nothing: the next run finishes it. Start one, or look why none runs.",
  );
}
