import { type CompleteStep, recordName, type StepRecord } from "../chain/record.ts";
import { CursorError } from "../lib/errors.ts";
import type { Cursor, CursorStore, ObjectStore, Stores } from "../stores/stores.ts";
import { checkPosition } from "./check-cursor.ts";
import { type Finding, note, problem, restore } from "./finding.ts";
import { followChain, type Gap } from "./follow-chain.ts";
import { explainOrphans, wayOver } from "./orphans.ts";
import { checkDiffs, listDiffs, readRecords } from "./read-chain.ts";
import { replay } from "./replay.ts";

export interface InspectOptions {
  /** What a person would call the cursor. */
  readonly cursor: string;
  readonly leaseMilliseconds: number;
  readonly replay: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/** What one repository's chain is like. */
export interface Inspection {
  readonly findings: readonly Finding[];
  /** How many records are in the chain, and how many diffs and bytes of them in the place. */
  readonly steps: number;
  readonly diffs: number;
  readonly bytes: number;
  /** Where the chain ends; null where there is none. */
  readonly to: string | null;
  /** How many steps were replayed; null where that was not asked for. */
  readonly replayed: number | null;
}

/** Holds the records, the diffs and the cursor of a repository against each other. @throws StoreError, CursorError */
export async function inspect(stores: Stores, options: InspectOptions): Promise<Inspection> {
  const { objects } = stores;
  const stored = await readRecords(objects, options.onProgress);
  const { steps, findings, gaps } = followChain(stored, Date.now(), options.leaseMilliseconds);
  // After the records: whatever they name must be there by now.
  const there = await listDiffs(objects);
  const { cursor, unreadable } = await readCursor(stores.cursor);

  const complete = steps.filter((step): step is CompleteStep => step.state === "complete");
  const { sound, ...diffs } = await checkDiffs(objects, complete, there, options.onProgress);
  const unnamed = stored.length === 0 ? [] : await findUnnamed(objects, [...there.keys()], stored);
  const tail = stored.at(-1)?.record === undefined ? undefined : steps.at(-1);
  const lost = findLost(tail, cursor, unnamed);
  const position = tail && !unreadable && lost.length === 0 && checkPosition(options.cursor, cursor, tail);
  const replayed = options.replay ? await replay(complete, sound, objects, options) : undefined;
  return {
    findings: [
      ...(stored.length === 0 ? [explainNothing(options.cursor, cursor, there.size)] : []),
      ...findings,
      ...explainOrphans(unnamed, [...gaps, ...lost], steps[0]),
      ...diffs.findings,
      ...(unreadable ? [unreadable] : []),
      ...(position ? [position] : []),
      ...(replayed?.findings ?? []),
    ],
    steps: steps.length,
    diffs: there.size,
    bytes: [...there.values()].reduce((sum, bytes) => sum + bytes, 0),
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

type Known = readonly { readonly name: string; readonly record: StepRecord | undefined }[];

/** The diffs that no record names, by name. */
async function findUnnamed(objects: ObjectStore, diffs: readonly string[], stored: Known): Promise<string[]> {
  const without = (names: readonly string[], known: Known) => {
    const named = new Set(known.map(({ record }) => record?.diff));
    return names.filter((name) => !named.has(name)).sort();
  };
  const unnamed = without(diffs, stored);
  if (unnamed.length === 0) return [];
  // A run at work may have claimed a step meanwhile, or given its own another end.
  const complete = stored.filter(({ record }) => record === undefined || record.state === "complete");
  const known = new Set(complete.map(({ name }) => name));
  return without(
    unnamed,
    await readRecords(
      objects,
      () => {},
      (name) => !known.has(name),
    ),
  );
}

/** Whether diffs lead from the newest record on to the cursor: then the last records are missing. */
function findLost(
  tail: StepRecord | undefined,
  cursor: Cursor | undefined,
  unnamed: readonly string[],
): Gap[] {
  if (tail === undefined || cursor === undefined) return [];
  const ends = { from: tail.to, to: cursor.commit };
  if (wayOver(ends, unnamed).length === 0) return [];
  const name = recordName(tail.next ?? tail.number + 1);
  const message = `The last records, ${name} or those after it, are missing: the chain ends at ${tail.to}, but diffs lead on to the cursor.`;
  return [{ ...ends, finding: problem("gap", name, message, restore) }];
}

function explainNothing(name: string, cursor: Cursor | undefined, diffs: number): Finding {
  if (diffs === 0) {
    const message = `Nothing was collected to this place yet${cursor ? `; the cursor is at ${cursor.commit}` : ""}.`;
    return note("nothing-collected", name, message, "Nothing, if that is so; otherwise look at the place.");
  }
  const message = `There are ${diffs} diffs, and no record of a step: the records were deleted, or a version without them stored the diffs.`;
  return problem("records-missing", "_steps/", message, restore);
}
