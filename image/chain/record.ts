import { z } from "zod";
import { emptyTree } from "../diff/diff.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";

const commit = z.string().regex(/^[0-9a-f]{40}$/);

/** What is known of a step once its diff is stored; null where it is not known. */
const facts = {
  bytes: z.number().int().nullable(),
  sha256: z.string().nullable(),
  files: z.number().int().nullable(),
  binaryFiles: z.number().int().nullable(),
  linesAdded: z.number().int().nullable(),
  linesRemoved: z.number().int().nullable(),
  commits: z.number().int().nullable(),
  fromTree: commit.nullable(),
  toTree: commit.nullable(),
  rung: z.string().nullable(),
  packBytes: z.number().int().nullable(),
  gitVersion: z.string(),
  workerVersion: z.string(),
  /** When the run that finished the step began on it. */
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
  from: commit,
  to: commit,
  /** Name of the diff; null when the commits change nothing in sum. */
  diff: z.string().nullable(),
  /** Whether the diff holds the content of binary files; fixed with the claim, for whoever finishes the step. */
  binary: z.boolean(),
  /** The cursor's identity when the step was claimed; null where there was none. */
  cursor: z.string().nullable(),
  /** The cursor's commit then, which a restarted step has lost. */
  last: commit.nullable(),
  /** Name of the record before. */
  previous: z.string().nullable(),
  /** Where the chain ended, if the cursor was set elsewhere by hand. */
  expected: commit.nullable(),
  /** The next record's number, where it is not the one after this; so numbers catch up with the cursor's version. */
  next: z.number().int().positive().optional(),
  owner: z.string(),
  claimed: z.iso.datetime(),
  scheduled: z.iso.datetime(),
};

const recordSchema = z.discriminatedUnion("state", [
  z.object({ state: z.literal("claimed"), ...claim }),
  z.object({ state: z.literal("complete"), ...claim, ...facts }),
]);

/** One move of the cursor, claimed or complete; the format is in the README. */
export type StepRecord = z.infer<typeof recordSchema>;
export type ClaimedStep = Extract<StepRecord, { state: "claimed" }>;
export type CompleteStep = Extract<StepRecord, { state: "complete" }>;
export type Facts = { [K in keyof typeof facts]: CompleteStep[K] };
export type Kind = StepRecord["kind"];

/** A record as it was read or written last: the tag lets only its owner change it. */
export interface Held<R extends StepRecord = StepRecord> {
  readonly record: R;
  readonly tag: string;
}

/** Ordered by name, for as many steps as anybody will see. */
export const recordName = (number: number): string => `_steps/${String(number).padStart(10, "0")}.json`;

/** @param at names the diff, to the minute */
export function diffName(from: string, to: string, at: Date): string {
  const [date, hour, minute] = at.toISOString().split(/[T:]/);
  return `${date}-${hour}${minute}_${from.slice(0, 7)}-${to.slice(0, 7)}.diff`;
}

/** How a step from `last` (none: from nothing) is named before anything is known but its two ends. */
export function planStep(
  last: string | undefined,
  to: string,
  at: Date,
): Pick<ClaimedStep, "kind" | "from" | "to" | "diff"> {
  const from = last ?? emptyTree;
  return { kind: from === emptyTree ? "baseline" : "change", from, to, diff: diffName(from, to, at) };
}

/** @throws StoreError if the record cannot be read, or is none */
export async function readStep(objects: ObjectStore, number: number): Promise<Held | undefined> {
  return parse(objects, recordName(number), await objects.get(recordName(number)));
}

/** The record of the highest number. */
export async function readLastStep(objects: ObjectStore): Promise<Held | undefined> {
  let last: string | undefined;
  for await (const { name } of objects.list("_steps/")) if (/^_steps\/\d{10}\.json$/.test(name)) last = name;
  return last === undefined ? undefined : parse(objects, last, await objects.get(last));
}

/**
 * Creates the record, or changes it from what is held.
 * @returns undefined if somebody else did so first
 */
export async function writeStep<R extends StepRecord>(
  objects: ObjectStore,
  record: R,
  tag: string | undefined,
): Promise<Held<R> | undefined> {
  const name = recordName(record.number);
  const text = `${JSON.stringify(record)}\n`;
  const details = {
    contentType: "application/json",
    metadata: { from: record.from, to: record.to, kind: record.kind },
  };
  const written = await objects.putIf(name, text, tag, details);
  if (written !== undefined) return { record, tag: written };
  // A write whose answer was lost is sent again, and then finds its own work there.
  const there = await objects.get(name);
  return there?.text === text ? { record, tag: there.tag } : undefined;
}

export function parseStep(text: string): StepRecord {
  return recordSchema.parse(JSON.parse(text));
}

function parse(
  objects: ObjectStore,
  name: string,
  object: { text: string; tag: string } | undefined,
): Held | undefined {
  if (object === undefined) return undefined;
  try {
    return { record: parseStep(object.text), tag: object.tag };
  } catch (error) {
    throw new StoreError(
      "record-invalid",
      `${objects.place(name)} is no step record of this version: ${(error as Error).message.replace(/\s+/g, " ").slice(0, 200)}.`,
      "Restore it from the bucket's versions; verify tells more.",
      { cause: error },
    );
  }
}
