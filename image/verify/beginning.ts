import { type CompleteStep, diffName, recordName, type StepRecord } from "../chain/record.ts";
import { emptyTree } from "../lib/object-id.ts";
import { type Finding, note } from "./finding.ts";
import type { Gap } from "./follow-chain.ts";
import type { StoredRecord } from "./read-chain.ts";

/** Where a chain begins: at its first record, or where its oldest objects have expired. */
export interface Beginning {
  /** Undefined where nothing has expired. */
  readonly finding: Finding | undefined;
  /** The gap before the first record, where it is none that expiry leaves. */
  readonly gap: Gap | undefined;
  /** The first steps, whose diffs have expired before their records. */
  readonly expired: ReadonlySet<StepRecord>;
  /** The diffs that were stored no later than the first step, and that no record names. */
  readonly olderDiffs: readonly string[];
}

/** A record is written after its diff, up to some days if its run died. So its diff may expire some days before it. */
const soonMilliseconds = 7 * 86_400_000;

/** Removes the records that have expired. The store deletes them later, and in any order. */
export const withoutExpired = (records: readonly StoredRecord[], now: number): StoredRecord[] =>
  records.filter(({ expires }) => expires === undefined || expires.getTime() > now);

/**
 * Finds out whether the beginning of a chain has expired. That leaves later records alone, or later records and diffs of
 * which the store says that they expire too. Anything else is a loss.
 * @param records those of `steps`, and others
 * @param missing the gap before the first step, where that names a record that is not there
 */
export function findBeginning(
  steps: readonly StepRecord[],
  records: readonly StoredRecord[],
  missing: Gap | undefined,
  stored: { readonly has: (diff: string) => boolean },
  unnamed: readonly string[],
  now: number,
): Beginning {
  const [first] = steps;
  if (first === undefined) return { finding: undefined, gap: undefined, expired: new Set(), olderDiffs: [] };
  const minute = minuteOf(diffName(first.from, first.to, new Date(first.scheduled)));
  const olderDiffs = unnamed.filter((name) => minuteOf(name) <= minute);
  const expiryOf = new Map(records.map(({ record, expires }) => [record, expires?.getTime()]));
  const isLost = missing !== undefined && expiryOf.get(first) === undefined && olderDiffs.length > 0;
  const expired = new Set<StepRecord>();
  for (const step of steps) {
    if (step.state === "claimed" || (step.diff !== null && stored.has(step.diff))) break;
    const isSoon = (expiryOf.get(step) ?? Number.POSITIVE_INFINITY) < now + soonMilliseconds;
    // Where the store does not say when an object expires, only the step at the very edge can have lost its diff so.
    const isAtEdge = missing !== undefined && !isLost && expired.size === 0;
    if (step.diff !== null && !isSoon && !isAtEdge) break;
    if (step.diff !== null) expired.add(step);
  }
  const hasExpired = (missing !== undefined && !isLost) || expired.size > 0;
  return {
    finding: hasExpired ? beginsLater(first, [...expired] as CompleteStep[]) : undefined,
    gap: isLost ? missing : undefined,
    expired,
    // The chain may also continue from the cursor of a version without records. Then that version's diffs are here too.
    olderDiffs: hasExpired || (first.previous === null && first.from !== emptyTree) ? olderDiffs : [],
  };
}

function beginsLater(first: StepRecord, expired: readonly CompleteStep[]): Finding {
  const name = recordName(first.number);
  const diffs = expired.map(({ diff }) => diff).join(", ");
  const before = first.previous === null ? "" : " What was before it has expired, or was deleted.";
  const also = diffs && ` No longer there: ${diffs}, of the first steps.`;
  const message = `The chain begins with ${name}.${before}${also}`;
  const remedy =
    "Nothing, if results are kept for some days only (resultRetentionDays). Otherwise restore what is missing from the bucket's versions or a backup.";
  return note("beginning-expired", name, message, remedy);
}

const minuteOf = (diff: string) => diff.slice(0, 15);
