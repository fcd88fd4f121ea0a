import type { ClaimedStep } from "../chain/record.ts";
import { type CountedDiff, countDiff } from "../diff/statistics.ts";
import type { Fetched } from "../fetch/fetch-step.ts";
import { StoreError } from "../lib/errors.ts";
import type { ListedObject, ObjectStore } from "../stores/stores.ts";
import { notFetched, type StepResult } from "./complete-record.ts";
import type { Context, StepSource } from "./context.ts";

/** Streams a step's diff to its name. A crash leaves no object, or the whole one, which the next run stores again. */
export async function storeDiff(
  { steps, settings, stores, onProgress }: Context,
  record: ClaimedStep,
  fetched: Fetched,
): Promise<StepResult> {
  const { from, to, binary, diff: name } = record;
  const kind = kindOf(record, fetched);
  const diff = countDiff(steps.diff(from, to, binary), settings.maxDiffBytes);
  const first = await diff.bytes.next();
  // Commits that change nothing in sum, such as a change and its revert, have no diff, and nothing is stored.
  if (!first.done && name !== null) {
    await stores.objects.put(name, withProgress(first.value, diff, onProgress), {
      contentType: "text/x-diff",
      metadata: { from, to, kind },
    });
  }
  return { ...(await countFiles(steps, record, diff)), ...factsOf(record, fetched) };
}

/** Returns the statistics of a diff that has ended. The diff alone does not show which renamed files are binary. */
async function countFiles(steps: StepSource, { from, to }: ClaimedStep, diff: CountedDiff) {
  const counted = diff.statistics();
  return diff.hidesContent() ? { ...counted, binaryFiles: await steps.countBinaryFiles(from, to) } : counted;
}

/** Adds what a fetch shows to the result of a step whose diff another run has stored. */
export async function addFacts(
  { steps, settings }: Context,
  record: ClaimedStep,
  fetched: Fetched,
  stored: StepResult,
): Promise<StepResult> {
  const diff = countDiff(steps.diff(record.from, record.to, record.binary), settings.maxDiffBytes);
  for await (const _ of diff.bytes);
  const counted = await countFiles(steps, record, diff);
  // Another version of git may have written other bytes. The record describes those that are stored.
  const isSame =
    counted.bytes === stored.bytes && (stored.sha256 === null || stored.sha256 === counted.sha256);
  return { ...(isSame ? counted : stored), ...factsOf(record, fetched) };
}

const kindOf = ({ kind }: ClaimedStep, { history }: Fetched) =>
  history?.descends === false ? "rewritten" : kind;

function factsOf(record: ClaimedStep, fetched: Fetched) {
  const { strategy, packBytes, fromTree, toTree, replayTree = null, history } = fetched;
  const commits = history?.commits ?? null;
  return { kind: kindOf(record, fetched), strategy, packBytes, fromTree, toTree, replayTree, commits };
}

async function* withProgress(
  first: Uint8Array,
  { bytes, statistics }: CountedDiff,
  onProgress: (line: string) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for await (const chunk of bytes) {
      onProgress(`Storing diff: ${(statistics().bytes / 1024 ** 2).toFixed(1)} MiB`);
      yield chunk;
    }
  } finally {
    await bytes.return();
  }
}

const notCounted = { sha256: null, files: null, binaryFiles: null, linesAdded: null, linesRemoved: null };

/** Returns whether a step's diff is stored. @throws StoreError */
export const isStored = async (objects: ObjectStore, name: string | null): Promise<boolean> =>
  (await findStored(objects, name)) !== undefined;

async function findStored(objects: ObjectStore, name: string | null): Promise<ListedObject | undefined> {
  if (name === null) return undefined;
  for await (const object of objects.list(name)) if (object.name === name) return object;
}

/** Returns what is known of a diff that another run stored. @throws StoreError */
export async function readStoredDiff(objects: ObjectStore, name: string | null): Promise<StepResult> {
  const stored = await findStored(objects, name);
  if (stored === undefined) throw new Error(`${name} was stored, and is there no more.`);
  try {
    const diff = countDiff(objects.read(stored.name), Number.POSITIVE_INFINITY);
    for await (const _ of diff.bytes);
    return { ...notFetched, ...diff.statistics() };
  } catch (error) {
    // The stack's role may read records, but not diffs. Then only the size is known.
    if (!(error instanceof StoreError) || error.code !== "store-denied") throw error;
    return { ...notFetched, ...notCounted, bytes: stored.bytes };
  }
}
