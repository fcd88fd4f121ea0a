import packageFile from "../../package.json" with { type: "json" };
import type { Adoption } from "../chain/decide.ts";
import {
  type ClaimedStep,
  type CompleteStep,
  diffName,
  type Facts,
  type Held,
  planStep,
  recordName,
  writeStep,
} from "../chain/record.ts";
import type { Repository } from "../config/repositories.ts";
import type { Bounds } from "../config/settings.ts";
import { type Contents, count, emptyTree, openDiff } from "../diff/diff.ts";
import type { Fetched } from "../fetch/fetch-step.ts";
import { type Head, readHead } from "../fetch/head.ts";
import type { Fetches } from "../fetch/prefetch.ts";
import type { Remote } from "../fetch/remote.ts";
import { GitError, LimitError, StoreError } from "../lib/errors.ts";
import { together } from "../lib/settle.ts";
import type { Cursor, ObjectStore, Stores } from "../stores/stores.ts";

/** What a run of one repository works with. */
export interface Scene {
  readonly repository: Repository;
  readonly stores: Stores;
  readonly bounds: Bounds;
  readonly remote: Remote;
  readonly fetches: Fetches;
  readonly onProgress: (line: string) => void;
  /** Tells this run from every other. */
  readonly owner: string;
}

/** What to do with a step that another run left, if the cursor was set by hand since: see `decide`. */
interface Left {
  readonly instead: Adoption | undefined;
  readonly cursor: Cursor | undefined;
}

/**
 * Performs a step that this run owns: fetches it, stores its diff, completes its record.
 * @param left set where another run claimed it, and may have stored its diff
 * @returns the completed step, and the remote's head, which is newer where the step's own end was lost
 * @throws GitError, StoreError, LimitError; then the step is free for the next run at once
 */
export async function perform(
  scene: Scene,
  claim: Held<ClaimedStep>,
  head: Head,
  left: Left | undefined,
): Promise<{ done: Held<CompleteStep>; head: Head }> {
  let held = claim;
  const amend = async (change: Partial<ClaimedStep>) => {
    held =
      (await writeStep(scene.stores.objects, { ...held.record, ...change }, held.tag)) ?? lost(held.record);
  };
  const finish = async (outcome: Outcome | Promise<Outcome>) => ({
    done: await complete(scene, held, outcome),
    head,
  });
  try {
    const { last, scheduled } = held.record;
    const at = new Date(scheduled);
    if (left?.instead) {
      const stored = await countStored(scene.stores.objects, held.record.diff);
      if (stored !== undefined) return await finish(stored);
      // In one write: killed between two, it would pass for a step that begins there, and where the chain ended be lost.
      const { to } = left.instead;
      const cursor = left.cursor?.identity ?? null;
      const adopting = { ...held.record, ...planStep(to, to, at), last: to, cursor, ...left.instead };
      return { done: await complete(scene, { record: adopting, tag: held.tag }, nothing), head };
    }
    for (;;) {
      const { from, to } = held.record;
      // The branch went back to where the step begins before any of it could be stored.
      if (to === last) return await finish(nothing);
      const fetched = await fetchClaimed(scene, { commit: to, ref: head.ref }, from);
      if (fetched !== "from gone" && "rung" in fetched) {
        return await finish(store(scene, held.record, fetched));
      }

      // One end is gone from the host. If the run that claimed the step had stored the diff, that is the step.
      const stored = left && (await countStored(scene.stores.objects, held.record.diff));
      if (stored !== undefined) return await finish(stored);
      // Killed after it is amended: the next run finishes it as it is then, and nothing was stored under its old name.
      if (fetched === "from gone") {
        if (scene.bounds.onGoneCommit === "fail") throw gone(from);
        await amend({ kind: "restarted", from: emptyTree, diff: diffName(emptyTree, to, at) });
      } else {
        head = (await readHead(scene.remote.host, scene.repository.branch)) ?? head;
        if (head.commit === to) throw fetched.error;
        await amend(planStep(last ?? undefined, head.commit, at));
      }
    }
  } catch (error) {
    await release(scene, held);
    throw error;
  }
}

/** Makes the record of a step that goes nowhere; only the first of all runs that try can. */
export async function adopt(scene: Scene, step: ClaimedStep): Promise<Held<CompleteStep> | undefined> {
  return writeStep(scene.stores.objects, await completed(scene, step, nothing), undefined);
}

/** Fetches a claimed step, or says which of its ends the host has no more. @throws GitError */
async function fetchClaimed(
  { fetches }: Scene,
  to: Head,
  from: string,
): Promise<Fetched | "from gone" | { readonly gone: "to"; readonly error: GitError }> {
  try {
    const fetched = await fetches.step(to, from === emptyTree ? undefined : from);
    return fetched === "gone" ? "from gone" : fetched;
  } catch (error) {
    if (error instanceof GitError && error.code === "head-moved") return { gone: "to", error };
    throw error;
  }
}

/** Streams the diff to its name. A crash in here leaves no object, or the whole one, which the next run stores again. */
async function store(scene: Scene, step: ClaimedStep, fetched: Fetched): Promise<Outcome> {
  const kind = fetched.history?.descends === false ? "rewritten" : step.kind;
  const contents = noContents();
  const diff = count(
    openDiff(scene.remote, step.from, step.to, step.binary),
    contents,
    scene.bounds.maxDiffBytes,
  );
  const first = await diff.next();
  // Commits that change nothing in sum, a change and its revert say, have no diff: nothing is stored for them.
  if (!first.done && step.diff !== null) {
    const metadata = { from: step.from, to: step.to, kind };
    await scene.stores.objects.put(step.diff, whole(first.value, diff, scene.onProgress), {
      contentType: "text/x-diff",
      metadata,
    });
  }
  const { rung, packBytes, fromTree, toTree, history } = fetched;
  return { ...contents, kind, rung, packBytes, fromTree, toTree, commits: history?.commits ?? null };
}

const noContents = (): Contents => ({
  bytes: 0,
  sha256: "",
  files: 0,
  binaryFiles: 0,
  linesAdded: 0,
  linesRemoved: 0,
});

async function* whole(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, void>,
  onProgress: (line: string) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = first.length;
  try {
    yield first;
    for await (const chunk of rest) {
      bytes += chunk.length;
      onProgress(`Storing diff: ${(bytes / 1024 ** 2).toFixed(1)} MiB`);
      yield chunk;
    }
  } finally {
    await rest.return();
  }
}

type Outcome = Omit<Facts, "gitVersion" | "workerVersion" | "started" | "finished"> & {
  readonly kind?: ClaimedStep["kind"];
};

/** What only a fetch tells. */
const untold = { commits: null, fromTree: null, toTree: null, rung: null, packBytes: null };

const uncounted = { sha256: null, files: null, binaryFiles: null, linesAdded: null, linesRemoved: null };

/** Of a step that ends where it begins. */
const nothing: Outcome = {
  ...untold,
  bytes: 0,
  sha256: null,
  files: 0,
  binaryFiles: 0,
  linesAdded: 0,
  linesRemoved: 0,
  commits: 0,
};

/** What is known of a step whose diff another run stored, and that cannot be fetched any more. */
async function countStored(objects: ObjectStore, name: string | null): Promise<Outcome | undefined> {
  if (name === null) return undefined;
  for await (const object of objects.list(name)) {
    if (object.name !== name) continue;
    const contents = noContents();
    try {
      for await (const _ of count(objects.read(name), contents, Number.POSITIVE_INFINITY));
      return { ...untold, ...contents };
    } catch (error) {
      // The stack's role may read records and not diffs: then the size is all that is told of it.
      if (!(error instanceof StoreError) || error.code !== "store-denied") throw error;
      return { ...untold, ...uncounted, bytes: object.bytes };
    }
  }
}

async function completed(
  { remote }: Scene,
  record: ClaimedStep,
  told: Outcome | Promise<Outcome>,
): Promise<CompleteStep> {
  const [outcome, gitVersion] = await together(told, remote.gitVersion());
  return {
    ...record,
    ...outcome,
    diff: outcome.bytes === 0 ? null : record.diff,
    state: "complete",
    gitVersion,
    workerVersion: packageFile.version,
    started: record.claimed,
    finished: new Date().toISOString(),
  };
}

/** @throws LimitError if the step was taken over meanwhile */
async function complete(
  scene: Scene,
  { record, tag }: Held<ClaimedStep>,
  outcome: Outcome | Promise<Outcome>,
): Promise<Held<CompleteStep>> {
  const step = await completed(scene, record, outcome);
  return (await writeStep(scene.stores.objects, step, tag)) ?? lost(record);
}

/** Lets the next run go on at once. Best effort: where it fails, the lease runs out. */
export async function release({ stores }: Scene, { record, tag }: Held): Promise<void> {
  await writeStep(stores.objects, { ...record, claimed: new Date(0).toISOString() }, tag).catch(() => {});
}

function lost({ number }: ClaimedStep): never {
  throw new LimitError(
    "lease-lost",
    `The step ${recordName(number)} was taken over by another run, this one's lease being over.`,
    "Nothing is lost; raise STEP_LEASE_SECONDS.",
  );
}

const gone = (from: string) =>
  new GitError(
    "commit-gone",
    `The last collected commit ${from} cannot be had from the host any more: history was rewritten.`,
    "Set ON_GONE_COMMIT to baseline to start again from a baseline, or set the cursor to a commit that is there.",
  );
