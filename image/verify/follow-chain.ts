import { recordName, type StepRecord } from "../chain/record.ts";
import { checkExpected, checkItself, checkLink, checkUnfinished, startOf } from "./check-record.ts";
import { type Finding, problem, restore } from "./finding.ts";

/** An object in `_steps/`: its record, or why it is none. */
export interface Stored {
  readonly name: string;
  readonly record: StepRecord | undefined;
  readonly why?: string;
}

/** A place in the chain where records are missing or cannot be read. */
export interface Gap {
  /** The commits before and after it; undefined where there is none, or none is known. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly finding: Finding;
}

export interface Chain {
  /** The records in their order, without those whose place another one has. */
  readonly steps: readonly StepRecord[];
  readonly findings: readonly Finding[];
  readonly gaps: readonly Gap[];
}

/**
 * Follows the chain: each record names the one before it, and begins where that one ends.
 * @param stored ordered by name
 */
export function followChain(stored: readonly Stored[], now: number, leaseMilliseconds: number): Chain {
  const findings: Finding[] = [];
  const gaps: Gap[] = [];
  const steps: StepRecord[] = [];
  const followed = new Map<string | null, StepRecord>();
  const names = new Set(stored.map(({ name }) => name));
  let before: Stored | undefined;
  /** The first of the records just before that cannot be read. */
  let unread: Omit<Gap, "to"> | undefined;
  const tell = (finding: Finding | undefined) => finding && findings.push(finding);

  for (const each of stored) {
    const { name, record } = each;
    if (record === undefined) {
      if (unread) tell(invalid(each));
      unread ??= { from: before?.record?.to, finding: invalid(each) };
      before = each;
      continue;
    }
    const { number, previous } = record;
    const earlier = followed.get(previous);
    if (name !== recordName(number)) {
      tell(misnamed(name, number));
      continue;
    }
    if (previous === (before?.name ?? null)) {
      if (unread) gaps.push({ ...unread, to: startOf(record) });
      else if (before?.record) tell(checkLink(record, before.record));
    } else if (earlier !== undefined) {
      tell(fork(name, earlier));
      continue;
    } else {
      tell(unread?.finding);
      const lost = previous !== null && !names.has(previous);
      const finding = lost ? missing(name, previous, before) : astray(record, before);
      gaps.push({ from: before?.record?.to, to: startOf(record), finding });
    }
    unread = undefined;
    tell(checkItself(record));
    tell(checkExpected(record));
    before = each;
    steps.push(record);
    followed.set(previous, record);
  }
  if (unread !== undefined) gaps.push({ ...unread, to: undefined });
  for (const [index, step] of steps.entries()) {
    tell(checkUnfinished(step, index === steps.length - 1, now, leaseMilliseconds));
  }
  return { steps, findings, gaps };
}

const invalid = ({ name, why }: Stored) =>
  problem(
    "record-invalid",
    name,
    `${name} is no step record of this version (${why}): what its step was is not known, and no run goes on from it.`,
    restore,
  );

const misnamed = (name: string, number: number) =>
  problem(
    "record-misnamed",
    name,
    `${name} holds the record of step ${number}, whose name is ${recordName(number)}: it is a copy, and no part of the chain.`,
    `Delete it, once ${recordName(number)} is there.`,
  );

const fork = (name: string, { number, previous }: StepRecord) =>
  problem(
    "overlap",
    name,
    `${name} and ${recordName(number)} both follow ${previous ?? "nothing"}: what they have in common is told twice.`,
    "Keep the one that the later steps and the cursor follow, and move the other one and its diff elsewhere.",
  );

const missing = (name: string, previous: string, before: Stored | undefined) =>
  problem(
    "gap",
    previous,
    `The record ${previous} is missing: ${name} follows it, and before that comes ${before?.name ?? "none"}. What its step was is not known.`,
    restore,
  );

const astray = ({ number, previous }: StepRecord, before: Stored | undefined) =>
  problem(
    "record-inconsistent",
    recordName(number),
    `${recordName(number)} says that it follows ${previous ?? "nothing"}, but before it comes ${before?.name ?? "none"}: it was changed.`,
    restore,
  );
