import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bounds, Repository } from "./environment.ts";
import { LimitError } from "./errors.ts";
import { perform, type Scene } from "./perform.ts";
import { decide } from "./protocol.ts";
import { openRemote, readHead } from "./remote.ts";
import {
  type CompleteStep,
  type Held,
  planStep,
  readLastStep,
  readStep,
  recordName,
  type StepRecord,
  writeStep,
} from "./step.ts";
import type { Cursor, ObjectStore, Stores } from "./stores.ts";
import { together } from "./together.ts";

/** What became of one repository. */
export type Outcome =
  | { readonly status: "unchanged"; readonly commit: string }
  /** The repository has no commit yet. */
  | { readonly status: "empty" }
  /** Another run owns the newest step, and may be at work on it until then. */
  | { readonly status: "left"; readonly record: string; readonly until: string }
  | { readonly status: "collected"; readonly steps: readonly CollectedStep[] };

export interface CollectedStep {
  readonly step: CompleteStep;
  /** Where its diff is; null where the commits change nothing in sum. */
  readonly place: string | null;
}

/**
 * Collects one repository, step by step from where its chain ends to the remote's head. Each step is claimed,
 * fetched, stored and completed, and then the cursor moves; which of these comes next, `decide` says.
 * @throws GitError, CursorError, StoreError, LimitError
 */
export async function collect(
  repository: Repository,
  stores: Stores,
  bounds: Bounds,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<Outcome> {
  const scratch = await mkdtemp(join(tmpdir(), "git-diff-"));
  const remote = openRemote(repository, join(scratch, "repository.git"), signal, onProgress);
  try {
    await remote.reset();
    return await goOn({ repository, stores, bounds, remote, onProgress, owner: randomUUID() });
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function goOn(scene: Scene): Promise<Outcome> {
  const { stores, bounds, remote, repository, owner } = scene;
  const { objects } = stores;
  const lease = bounds.leaseSeconds * 1_000;
  const steps: CollectedStep[] = [];
  let [cursor, head] = await together(stores.cursor.read(), readHead(remote, repository.branch));
  if (head === undefined) return { status: "empty" };

  // The first look is quick. If another run gets in between, or something is amiss, all further ones are thorough.
  for (let turn = 0; turn < 100; turn++) {
    if (turn > 0) cursor = await stores.cursor.read();
    const tail = await (turn === 0 ? findTail(objects, cursor, head.commit) : readLastStep(objects));
    // A search takes its time: what it found must belong to the cursor as it is.
    if (turn > 0 && cursor?.identity !== (await stores.cursor.read())?.identity) continue;
    const now = Date.now();
    const claimed = new Date(now).toISOString();
    const decision = decide({ cursor, tail: tail?.record, head: head.commit, now, leaseMilliseconds: lease });

    if (decision.do === "rest") {
      return steps.length > 0 ? { status: "collected", steps } : { status: "unchanged", commit: head.commit };
    }
    if (decision.do === "leave") {
      if (steps.length > 0) return { status: "collected", steps };
      const until = new Date(Date.parse(decision.tail.claimed) + lease).toISOString();
      return { status: "left", record: recordName(decision.tail.number), until };
    }
    if (decision.do === "restore") {
      await stores.cursor.move(undefined, decision.to);
      continue;
    }
    if (decision.do === "move") {
      // Owned first, so that no other run takes the chain further before the cursor has moved.
      const held = await writeStep(objects, { ...decision.tail, owner, claimed }, tail?.tag);
      if (held) await moveCursor(scene, cursor, held.record);
      continue;
    }

    // Claim, or take over what is left of somebody's claim. Of all runs that try, one succeeds.
    const step =
      decision.do === "finish"
        ? { ...decision.tail, owner, claimed }
        : {
            ...planStep(decision.from, head.commit, bounds.scheduledTime),
            schemaVersion: 1 as const,
            state: "claimed" as const,
            number: decision.number,
            repository: repository.location.url,
            ref: head.ref,
            binary: bounds.binary,
            last: decision.from ?? null,
            cursor: cursor?.identity ?? null,
            previous: tail ? recordName(tail.record.number) : null,
            expected: decision.expected ?? null,
            owner,
            claimed,
            scheduled: bounds.scheduledTime.toISOString(),
          };
    const held = await writeStep(objects, step, decision.do === "finish" ? tail?.tag : undefined);
    if (held === undefined) continue;

    // Fetch, store, complete.
    const done = await perform(scene, held, head, decision.do === "finish");
    steps.push({ step: done.step, place: done.step.diff && objects.place(done.step.diff) });
    head = done.head;

    // Move, unless the cursor was set by hand since the step was claimed.
    if (cursor === undefined || cursor.identity === done.step.cursor)
      await moveCursor(scene, cursor, done.step);
    if (done.step.to === head.commit) return { status: "collected", steps };
  }
  throw new Error("Other runs keep changing the chain of steps.");
}

/**
 * The newest record where all is as it should be: the one that the cursor's version numbers. A claim of the number
 * after it fails if it is not the newest.
 */
async function findTail(
  objects: ObjectStore,
  cursor: Cursor | undefined,
  head: string,
): Promise<Held<StepRecord> | undefined> {
  if (cursor !== undefined && cursor.version > 0) {
    // Nothing to collect is the most common case: one look tells that nobody has begun a step from here.
    if (cursor.commit === head) {
      const begun = await readStep(objects, cursor.version + 1);
      if (begun === undefined) return undefined;
    } else {
      const tail = await readStep(objects, cursor.version);
      if (tail?.record.state === "complete" && tail.record.to === cursor.commit) return tail;
    }
  }
  return readLastStep(objects);
}

/** @throws LimitError once the step may have been taken over by another run */
async function moveCursor(
  { stores, bounds }: Scene,
  cursor: Cursor | undefined,
  step: CompleteStep,
): Promise<void> {
  if (Date.now() >= Date.parse(step.claimed) + bounds.leaseSeconds * 1_000) throw leaseLost(step);
  if (cursor?.commit !== step.to) await stores.cursor.move(cursor, step.to);
}

const leaseLost = ({ number }: CompleteStep) =>
  new LimitError(
    "lease-lost",
    `The run took longer than STEP_LEASE_SECONDS, and its step ${recordName(number)} may have been taken over.`,
    "The next run goes on from there; raise STEP_LEASE_SECONDS.",
  );
