import type { Claim } from "../chain/claim.ts";
import { type ClaimedStep, nextDiffName, type StepKind } from "../chain/record.ts";
import { type CountedDiff, countDiff, type DiffStatistics } from "../diff/statistics.ts";
import type { Fetched } from "../fetch/fetch-step.ts";
import { StoreError } from "../lib/errors.ts";
import { settleAll } from "../lib/settle.ts";
import type { ListedObject, ObjectStore } from "../stores/stores.ts";
import type { Gatherer } from "../tables/gather-rows.ts";
import { notFetched, type StepResult } from "./complete-record.ts";
import type { Context, StepSource } from "./context.ts";

/**
 * Streams a step's diff to its name, or to another one where that is taken. A crash leaves no object, or the whole one,
 * which the next run finds.
 */
export async function storeDiff(
  context: Context,
  claim: Claim<ClaimedStep>,
  fetched: Fetched,
): Promise<StepResult> {
  const { record } = claim;
  const store = async () => {
    for (;;) {
      const rows = await context.steps.gatherRows?.();
      const counted = await streamToStore(context, claim.record, kindOf(record, fetched), rows);
      if (counted !== "taken") return { counted, rows };
      // The record first, so that no run takes the other object for this step's diff.
      await claim.amend({ diff: nextDiffName(claim.record.diff ?? "") });
    }
  };
  const [{ counted, rows }, facts] = await settleAll(store(), findFacts(context, record, fetched));
  return { ...counted, ...facts, ...(await storeRows(context, record, fetched, rows)) };
}

async function streamToStore(
  { steps, settings, stores, onProgress }: Context,
  record: ClaimedStep,
  kind: StepKind,
  rows: Gatherer | undefined,
) {
  const { from, to, binary, diff: name } = record;
  const diff = countDiff(steps.diff(from, to, binary), settings.maxDiffBytes, rows?.lines);
  const first = await diff.bytes.next();
  // Commits that change nothing in sum, such as a change and its revert, have no diff, and nothing is stored.
  if (!first.done && name !== null) {
    const body = withProgress(first.value, diff, rows, onProgress);
    const details = { contentType: "text/x-diff", metadata: { from, to, kind } };
    const isNew = await stores.objects.put(name, body, details);
    // Of the same bytes, it is this diff: an answer was lost, and the SDK has sent the request again.
    if (!isNew && !isSame(await readStoredDiff(stores.objects, name), diff.statistics())) return "taken";
  }
  return countFiles(steps, record, diff);
}

/** Returns the statistics of a diff that has ended. The diff alone does not show which renamed files are binary. */
async function countFiles(steps: StepSource, { from, to }: ClaimedStep, diff: CountedDiff) {
  const counted = diff.statistics();
  return diff.hidesContent() ? { ...counted, binaryFiles: await steps.countBinaryFiles(from, to) } : counted;
}

/**
 * Adds what a fetch shows to the result of a step whose diff another run has stored. Undefined where the stored bytes are
 * others: the object is somebody else's, or of another version of git.
 */
export async function addFacts(
  context: Context,
  record: ClaimedStep,
  fetched: Fetched,
  stored: StepResult,
): Promise<StepResult | undefined> {
  const { steps, settings } = context;
  const rows = await steps.gatherRows?.();
  const diff = countDiff(
    steps.diff(record.from, record.to, record.binary),
    settings.maxDiffBytes,
    rows?.lines,
  );
  for await (const _ of diff.bytes) await rows?.flush();
  const counted = await countFiles(steps, record, diff);
  if (!isSame(stored, counted)) return undefined;
  const facts = await findFacts(context, record, fetched);
  return { ...counted, ...facts, ...(await storeRows(context, record, fetched, rows)) };
}

/** Stores the rows of a step whose diff was read. */
async function storeRows(
  { stores }: Context,
  { number }: ClaimedStep,
  { history, mailmap }: Fetched,
  rows: Gatherer | undefined,
): Promise<Pick<StepResult, "rows">> {
  if (rows === undefined) return {};
  return { rows: await rows.store(stores.objects, number, { commits: history?.contents(), mailmap }) };
}

const isSame = (stored: StepResult, { bytes, sha256 }: DiffStatistics): boolean =>
  stored.bytes === bytes && (stored.sha256 === null || stored.sha256 === sha256);

const kindOf = ({ kind }: ClaimedStep, { history }: Fetched) =>
  history?.descends === false ? "rewritten" : kind;

async function findFacts({ steps }: Context, record: ClaimedStep, fetched: Fetched) {
  const { strategy, packBytes, fromTree, toTree, history } = fetched;
  return {
    ...{ kind: kindOf(record, fetched), strategy, packBytes, fromTree, toTree },
    replayTree: (await steps.canonicalTree(toTree)) ?? null,
    commits: history?.commits ?? null,
  };
}

async function* withProgress(
  first: Uint8Array,
  { bytes, statistics }: CountedDiff,
  rows: Gatherer | undefined,
  onProgress: (line: string) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for await (const chunk of bytes) {
      onProgress(`Storing diff: ${(statistics().bytes / 1024 ** 2).toFixed(1)} MiB`);
      yield chunk;
      await rows?.flush();
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
  if (stored === undefined) throw notThere(objects.address(name ?? ""));
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

const notThere = (address: string) =>
  new StoreError(
    "store-failed",
    `${address} is reported as stored, and is not there.`,
    "The next run tries again. If it happens again, see what else writes to this place.",
  );
