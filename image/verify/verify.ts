import { type CompleteStep, recordName, recordPrefix, type StepRecord } from "../chain/record.ts";
import { CursorError } from "../lib/errors.ts";
import type { Cursor, CursorStore, ObjectStore, Stores } from "../stores/stores.ts";
import { findBeginning, withoutExpired } from "./beginning.ts";
import { checkCursor } from "./check-cursor.ts";
import { checkDiffs } from "./check-diffs.ts";
import { type Finding, note, problem, restore } from "./finding.ts";
import { followChain, type Gap } from "./follow-chain.ts";
import { listDiffs, readRecords, type StoredRecord } from "./read-chain.ts";
import { replay } from "./replay.ts";
import type { Verification } from "./report.ts";
import { explainUnnamed, pathAcross } from "./unnamed-diffs.ts";

export interface VerifyOptions {
  readonly cursorName: string;
  readonly leaseMilliseconds: number;
  readonly replay: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/** Compares the records, the diffs and the cursor of a repository with each other. @throws StoreError, CursorError */
export async function verify(stores: Stores, options: VerifyOptions): Promise<Verification> {
  const { objects } = stores;
  const now = Date.now();
  const found = await readRecords(objects, options.onProgress);
  const records = withoutExpired(found, now);
  const { steps, findings, gaps, missing } = followChain(records, now, options.leaseMilliseconds);
  // After the records, so that every diff that they name must be there.
  const stored = await listDiffs(objects);
  const { cursor, unreadable } = await readCursor(stores.cursor);

  const unnamed = records.length === 0 ? [] : await findUnnamed(objects, [...stored.keys()], found);
  const beginning = findBeginning(steps, records, missing, stored, unnamed, now);
  const complete = steps.filter((step): step is CompleteStep => step.state === "complete");
  const lasting = complete.filter((step) => !beginning.expired.has(step));
  const { sound, ...diffs } = await checkDiffs(objects, lasting, stored, options.onProgress);
  const tail = records.at(-1)?.record === undefined ? undefined : steps.at(-1);
  const lost = findLostTail(tail, cursor, unnamed);
  const position =
    tail && !unreadable && lost.length === 0 ? checkCursor(options.cursorName, cursor, tail) : undefined;
  const replayed = options.replay ? await replay(complete, sound, objects, options) : undefined;
  return {
    findings: [
      ...(records.length === 0
        ? [explainNoRecords(options.cursorName, cursor, stored.size, found.length > 0)]
        : []),
      ...(beginning.finding ? [beginning.finding] : []),
      ...findings,
      ...explainUnnamed(
        unnamed,
        [...(beginning.gap ? [beginning.gap] : []), ...gaps, ...lost],
        beginning.olderDiffs,
      ),
      ...diffs.findings,
      ...(unreadable ? [unreadable] : []),
      ...(position ? [position] : []),
      ...(replayed?.findings ?? []),
    ],
    steps: steps.length,
    diffs: stored.size,
    bytes: [...stored.values()].reduce((sum, bytes) => sum + bytes, 0),
    to: steps.at(-1)?.to ?? null,
    replayed: replayed?.steps ?? null,
  };
}

async function readCursor(store: CursorStore): Promise<{ cursor?: Cursor; unreadable?: Finding }> {
  try {
    const cursor = await store.read();
    return cursor === undefined ? {} : { cursor };
  } catch (error) {
    if (!(error instanceof CursorError) || error.code !== "cursor-invalid") throw error;
    return { unreadable: problem(error.code, "the cursor", error.message, error.remedy) };
  }
}

/** Returns the diffs that no record names, by name. */
async function findUnnamed(
  objects: ObjectStore,
  diffs: readonly string[],
  records: readonly StoredRecord[],
): Promise<string[]> {
  const without = (names: readonly string[], records: readonly StoredRecord[]) => {
    const named = new Set(records.map(({ record }) => record?.diff));
    return names.filter((name) => !named.has(name)).sort();
  };
  const unnamed = without(diffs, records);
  if (unnamed.length === 0) return [];
  // A run at work may have claimed a step meanwhile, or amended its own. So every other record is read again.
  const unchanging = records.filter(({ record }) => record === undefined || record.state === "complete");
  const names = new Set(unchanging.map(({ name }) => name));
  const others = await readRecords(
    objects,
    () => {},
    (name) => !names.has(name),
  );
  return without(unnamed, others);
}

/** Returns the gap at the chain's end: diffs lead from the newest record to the cursor, so the last records are missing. */
function findLostTail(
  tail: StepRecord | undefined,
  cursor: Cursor | undefined,
  unnamed: readonly string[],
): Gap[] {
  if (tail === undefined || cursor === undefined) return [];
  const ends = { from: tail.to, to: cursor.commit };
  if (pathAcross(ends, unnamed).length === 0) return [];
  const name = recordName(tail.next ?? tail.number + 1);
  const message = `The last records, ${name} or later ones, are missing: the chain ends at ${tail.to}, but diffs lead on to the cursor.`;
  return [{ ...ends, finding: problem("gap", name, message, restore) }];
}

function explainNoRecords(
  cursorName: string,
  cursor: Cursor | undefined,
  diffs: number,
  hasExpired: boolean,
): Finding {
  if (diffs === 0 || hasExpired) {
    const message = cursor
      ? `Nothing is stored at this destination, but the cursor is at ${cursor.commit}: everything has expired or was deleted, or nothing was collected yet.`
      : "Nothing was collected to this destination yet.";
    const remedy = "Nothing, if that is right. Otherwise check the destination.";
    return note("nothing-collected", cursorName, message, remedy);
  }
  const message = `There are ${diffs} diffs, but no step records: the records were deleted, or a version without records stored the diffs.`;
  return problem("records-missing", recordPrefix, message, restore);
}
