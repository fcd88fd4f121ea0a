import type { ClaimedStep } from "../chain/record.ts";
import { type CountedDiff, countDiff } from "../diff/statistics.ts";
import type { Fetched } from "../fetch/fetch-step.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { notFetched, type StepResult } from "./complete-record.ts";
import type { Context } from "./context.ts";

/** Streams a step's diff to its name. A crash leaves no object, or the whole one, which the next run stores again. */
export async function storeDiff(
  { steps, settings, stores, onProgress }: Context,
  { from, to, binary, diff: name, kind: planned }: ClaimedStep,
  { strategy, packBytes, fromTree, toTree, history }: Fetched,
): Promise<StepResult> {
  const kind = history?.descends === false ? "rewritten" : planned;
  const diff = countDiff(steps.diff(from, to, binary), settings.maxDiffBytes);
  const first = await diff.bytes.next();
  // Commits that change nothing in sum, such as a change and its revert, have no diff, and nothing is stored.
  if (!first.done && name !== null) {
    await stores.objects.put(name, withProgress(first.value, diff, onProgress), {
      contentType: "text/x-diff",
      metadata: { from, to, kind },
    });
  }
  const commits = history?.commits ?? null;
  return { ...diff.statistics(), kind, strategy, packBytes, fromTree, toTree, commits };
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

/** Returns what is known of a diff that another run stored, and undefined where it is not stored. @throws StoreError */
export async function readStoredDiff(
  objects: ObjectStore,
  name: string | null,
): Promise<StepResult | undefined> {
  if (name === null) return undefined;
  for await (const object of objects.list(name)) {
    if (object.name !== name) continue;
    try {
      const diff = countDiff(objects.read(name), Number.POSITIVE_INFINITY);
      for await (const _ of diff.bytes);
      return { ...notFetched, ...diff.statistics() };
    } catch (error) {
      // The stack's role may read records, but not diffs. Then only the size is known.
      if (!(error instanceof StoreError) || error.code !== "store-denied") throw error;
      return { ...notFetched, ...notCounted, bytes: object.bytes };
    }
  }
}
