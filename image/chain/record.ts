import { z } from "zod";
import { emptyTree, objectIdPattern } from "../lib/object-id.ts";

const objectId = z.string().regex(objectIdPattern);

/** What is known of a step once its diff is stored; null where it is not known. */
const facts = {
  bytes: z.number().int().nullable(),
  sha256: z.string().nullable(),
  files: z.number().int().nullable(),
  binaryFiles: z.number().int().nullable(),
  linesAdded: z.number().int().nullable(),
  linesRemoved: z.number().int().nullable(),
  commits: z.number().int().nullable(),
  fromTree: objectId.nullable(),
  toTree: objectId.nullable(),
  /** What `toTree` is once git writes it anew, where that is another tree: replaying the diffs leads to that one. */
  replayTree: objectId.nullable().optional(),
  /** The step's rows for tables, beside its record; missing where none were made. */
  rows: z
    .object({
      name: z.string(),
      bytes: z.number().int(),
      sha256: z.string(),
      commits: z.number().int(),
      files: z.number().int(),
      hunks: z.number().int().optional(),
    })
    .optional(),
  strategy: z.string().nullable(),
  packBytes: z.number().int().nullable(),
  gitVersion: z.string(),
  workerVersion: z.string(),
  /** When the run that completed the step began it. */
  started: z.iso.datetime(),
  finished: z.iso.datetime(),
};

const claim = {
  schemaVersion: z.literal(1),
  number: z.number().int().positive(),
  repository: z.string(),
  ref: z.string(),
  /**
   * change: `to` descends from `from`. rewritten: it does not, and the diff is still the exact one between the two.
   * baseline: from the empty tree. restarted: a baseline because the last collected commit is gone.
   */
  kind: z.enum(["change", "rewritten", "baseline", "restarted"]),
  /** A commit id, or the empty tree's. */
  from: objectId,
  to: objectId,
  /** Name of the diff; null where the commits change nothing in sum. */
  diff: z.string().nullable(),
  /** Whether the diff contains the content of binary files. Fixed with the claim, also for the run that resumes it. */
  binary: z.boolean(),
  /** The cursor's identity when the step was claimed; null where there was none. */
  cursor: z.string().nullable(),
  /** The cursor's commit at that time, which a restarted step has lost. */
  last: objectId.nullable(),
  /** Name of the record before. */
  previous: z.string().nullable(),
  /** Where the chain ended, if the cursor was set elsewhere by hand. */
  expected: objectId.nullable(),
  /** The next record's number, where it is not the one after this. It lets numbers catch up with the cursor's version. */
  next: z.number().int().positive().optional(),
  owner: z.string(),
  claimed: z.iso.datetime(),
  /** For how long the step belongs to its owner from then on, whatever other runs are configured to. */
  leaseSeconds: z.number().int().positive().optional(),
  scheduled: z.iso.datetime(),
};

const recordSchema = z.discriminatedUnion("state", [
  z.object({ state: z.literal("claimed"), ...claim }),
  z.object({ state: z.literal("complete"), ...claim, ...facts }),
]);

/** One step, claimed or complete. See docs/format.md. */
export type StepRecord = z.infer<typeof recordSchema>;
export type ClaimedStep = Extract<StepRecord, { state: "claimed" }>;
export type CompleteStep = Extract<StepRecord, { state: "complete" }>;
export type StepFacts = Pick<CompleteStep, keyof typeof facts>;
export type StepKind = StepRecord["kind"];

/** Parses a record. @throws SyntaxError or ZodError if it is none of this version */
export const parseRecord = (text: string): StepRecord => recordSchema.parse(JSON.parse(text));

/** Returns when a claim ends, in milliseconds since 1970. @param byDefault for records without a lease */
export const leaseEnd = (
  { claimed, leaseSeconds }: { readonly claimed: string; readonly leaseSeconds?: number | undefined },
  byDefault: number,
): number => Date.parse(claimed) + (leaseSeconds === undefined ? byDefault : leaseSeconds * 1_000);

export const recordPrefix = "_steps/";

/** Returns a record's name. Names sort by number. */
export const recordName = (number: number): string =>
  `${recordPrefix}${String(number).padStart(10, "0")}.json`;

export const isRecordName = (name: string): boolean => /^_steps\/\d{10}\.json$/.test(name);

/** Returns the name of a diff. @param at names it to the minute */
export function diffName(from: string, to: string, at: Date): string {
  const [date, hour, minute] = at.toISOString().split(/[T:]/);
  return `${date}-${hour}${minute}_${from.slice(0, 7)}-${to.slice(0, 7)}.diff`;
}

/** Returns the next name for a diff whose name is taken: with -2, then with -3. */
export function nextDiffName(name: string): string {
  const [, stem = "", number = "1"] = /^(.{31})(?:-(\d+))?\.diff$/.exec(name) ?? [];
  return `${stem}-${Number(number) + 1}.diff`;
}

export const isDiffName = (name: string): boolean =>
  /^\d{4}-\d\d-\d\d-\d{4}_[0-9a-f]{7}-[0-9a-f]{7}(-\d+)?\.diff$/.test(name);

export const rowsPrefix = "_rows/";

/** Returns the name of the rows of a step: two runs may make other rows of one step, and each record names its own. */
export const rowsName = (number: number, sha256: string): string =>
  `${rowsPrefix}${String(number).padStart(10, "0")}-${sha256.slice(0, 12)}.jsonl.gz`;

export const isRowsName = (name: string): boolean => /^_rows\/\d{10}-[0-9a-f]{12}\.jsonl\.gz$/.test(name);

/** Plans a step from its two ends. `last` is undefined where nothing was collected yet. */
export function planStep(
  last: string | undefined,
  to: string,
  at: Date,
): Pick<ClaimedStep, "kind" | "from" | "to" | "diff"> {
  const from = last ?? emptyTree;
  return { kind: from === emptyTree ? "baseline" : "change", from, to, diff: diffName(from, to, at) };
}
