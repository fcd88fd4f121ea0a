import { recordName, type StepRecord } from "../chain/record.ts";
import { checkConsistency, checkExpected, checkLink, checkUnfinished, startOf } from "./check-record.ts";
import { type Finding, problem, restore } from "./finding.ts";
import type { StoredRecord } from "./read-chain.ts";

/** A part of the chain whose records are missing or invalid. */
export interface Gap {
  /** The commits before and after it; undefined where they are unknown. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly finding: Finding;
}

export interface Chain {
  /** The records in their order, without forks and copies. */
  readonly steps: readonly StepRecord[];
  readonly findings: readonly Finding[];
  readonly gaps: readonly Gap[];
  /** The gap before the first record, where that names one before it. It may have expired. */
  readonly missing: Gap | undefined;
}

/** How an object in `_steps/` relates to the chain before it, whose last object is `before`. */
type Link =
  | { readonly kind: "invalid"; readonly stored: StoredRecord; readonly before: StoredRecord | undefined }
  /** A copy under another record's name. */
  | { readonly kind: "misnamed"; readonly name: string; readonly record: StepRecord }
  /** Follows a record that `rival` follows already. */
  | { readonly kind: "fork"; readonly name: string; readonly rival: StepRecord }
  /** Follows the object before it. */
  | { readonly kind: "next"; readonly record: StepRecord; readonly before: StoredRecord | undefined }
  /** Follows an object that is not there (`missing`), or another one than that before it. */
  | {
      readonly kind: "detached";
      readonly record: StepRecord;
      readonly before: StoredRecord | undefined;
      readonly missing: boolean;
    };

/**
 * Follows the chain: each record names the one before it, and begins where that one ends.
 * @param records ordered by name
 */
export function followChain(records: readonly StoredRecord[], now: number, leaseMilliseconds: number): Chain {
  const findings: Finding[] = [];
  const gaps: Gap[] = [];
  const steps: StepRecord[] = [];
  let missing: Gap | undefined;
  const add = (finding: Finding | undefined) => finding && findings.push(finding);
  /** The gap that the invalid records just before begin. */
  let open: Omit<Gap, "to"> | undefined;

  for (const link of classify(records)) {
    switch (link.kind) {
      case "invalid":
        if (open) add(invalid(link.stored));
        open ??= { from: link.before?.record?.to, finding: invalid(link.stored) };
        continue;
      case "misnamed":
        add(misnamed(link.name, link.record));
        continue;
      case "fork":
        add(fork(link.name, link.rival));
        continue;
      case "next":
        if (open) gaps.push({ ...open, to: startOf(link.record) });
        else if (link.before?.record) add(checkLink(link.record, link.before.record));
        break;
      case "detached":
        add(open?.finding);
        if (link.missing && link.before === undefined) missing = gapBefore(link.record, undefined, true);
        else gaps.push(gapBefore(link.record, link.before, link.missing));
    }
    open = undefined;
    add(checkConsistency(link.record));
    add(checkExpected(link.record));
    steps.push(link.record);
  }
  if (open !== undefined) gaps.push({ ...open, to: undefined });
  for (const [index, step] of steps.entries()) {
    add(checkUnfinished(step, index === steps.length - 1, now, leaseMilliseconds));
  }
  return { steps, findings, gaps, missing };
}

function classify(records: readonly StoredRecord[]): Link[] {
  const names = new Set(records.map(({ name }) => name));
  const followers = new Map<string | null, StepRecord>();
  let before: StoredRecord | undefined;
  return records.map((stored): Link => {
    const { name, record } = stored;
    const last = before;
    if (record === undefined) {
      before = stored;
      return { kind: "invalid", stored, before: last };
    }
    const { number, previous } = record;
    if (name !== recordName(number)) return { kind: "misnamed", name, record };
    const follows = previous === (last?.name ?? null);
    const rival = followers.get(previous);
    if (!follows && rival) return { kind: "fork", name, rival };
    before = stored;
    followers.set(previous, record);
    if (follows) return { kind: "next", record, before: last };
    return { kind: "detached", record, before: last, missing: previous !== null && !names.has(previous) };
  });
}

const invalid = ({ name, reason }: StoredRecord) =>
  problem(
    "record-invalid",
    name,
    `${name} is no step record of this version (${reason}): its step is unknown, and no run continues from it.`,
    restore,
  );

const misnamed = (name: string, { number }: StepRecord) =>
  problem(
    "record-misnamed",
    name,
    `${name} holds the record of step ${number}, whose name is ${recordName(number)}: it is a copy, and not part of the chain.`,
    `Delete it, once ${recordName(number)} is there.`,
  );

const fork = (name: string, { number, previous }: StepRecord) =>
  problem(
    "overlap",
    name,
    `${name} and ${recordName(number)} both follow ${previous ?? "nothing"}: their common changes are stored twice.`,
    "Keep the one that the later steps and the cursor follow. Move the other one and its diff elsewhere.",
  );

function gapBefore(record: StepRecord, before: StoredRecord | undefined, missing: boolean): Gap {
  const name = recordName(record.number);
  const [previous, last] = [record.previous ?? "nothing", before?.name ?? "nothing"];
  const finding = missing
    ? problem(
        "gap",
        previous,
        `The record ${previous} is missing: ${name} follows it, and the record before that is ${last}. Its step is unknown.`,
        restore,
      )
    : problem(
        "record-inconsistent",
        name,
        `${name} names ${previous} as the record before it, but that is ${last}: the record was changed.`,
        restore,
      );
  return { from: before?.record?.to, to: startOf(record), finding };
}
