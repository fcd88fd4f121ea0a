import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { decide } from "../chain/decide.ts";
import {
  type ClaimedStep,
  type CompleteStep,
  type Held,
  planStep,
  readLastStep,
  readStep,
  recordName,
  type StepRecord,
  writeStep,
} from "../chain/record.ts";
import type { Repository } from "../config/repositories.ts";
import type { Bounds } from "../config/settings.ts";
import { readHead } from "../fetch/head.ts";
import { openFetches } from "../fetch/prefetch.ts";
import { openRemote } from "../fetch/remote.ts";
import { GitError, LimitError } from "../lib/errors.ts";
import { together } from "../lib/settle.ts";
import type { Cursor, ObjectStore, Stores } from "../stores/stores.ts";
import { adopt, perform, release, type Scene } from "./perform-step.ts";

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
  const scratch = await makeScratch();
  const remote = openRemote(repository, join(scratch, "repository.git"), signal, onProgress);
  const fetches = openFetches(remote);
  try {
    await remote.reset();
    return await goOn({ repository, stores, bounds, remote, fetches, onProgress, owner: randomUUID() });
  } finally {
    await fetches.stop();
    remote.host.hangUp();
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeScratch(): Promise<string> {
  try {
    return await mkdtemp(join(resolve(tmpdir()), "git-diff-"));
  } catch (error) {
    throw new LimitError(
      "scratch-unwritable",
      `There is no place for git to work: ${(error as Error).message}.`,
      "Set TMPDIR to a folder that is there and can be written.",
      { cause: error },
    );
  }
}

async function goOn(scene: Scene): Promise<Outcome> {
  const { stores, bounds, remote, repository, owner } = scene;
  const { objects } = stores;
  const lease = bounds.leaseSeconds * 1_000;
  const steps: CollectedStep[] = [];
  remote.host.call(); // which takes as long as the next line, so that it is ready by then
  // In this order: a head that is older than the cursor would lead back to where another run has just come from.
  let cursor = await stores.cursor.read();
  let head = await readHead(remote.host, repository.branch);
  if (head === undefined) {
    if (cursor === undefined) return { status: "empty" };
    throw new GitError(
      "repository-emptied",
      `The repository has no branch any more, though it was collected up to ${cursor.commit}.`,
      "If that is meant, wait for its next commit, which will be a new baseline; otherwise look at the host.",
    );
  }

  if (cursor && cursor.commit !== head.commit) scene.fetches.begin(head, cursor.commit);

  let adopted: Held<StepRecord> | undefined;
  for (let turn = 0; turn < 100; turn++) {
    // Before the look: a lease that is over now was over when the cursor was read, and its run moves it no more.
    const now = Date.now();
    const claimed = new Date(now).toISOString();
    if (turn > 0 && !adopted) cursor = await stores.cursor.read();
    // The first look is quick. If another run gets in between, or something is amiss, all further ones are thorough.
    let tail = turn === 0 ? await lookQuickly(objects, cursor, head.commit) : (adopted ?? "unclear");
    adopted = undefined;
    if (tail === "unclear") {
      tail = await readLastStep(objects);
      if (tail !== undefined) {
        // What was likely is so no more.
        await scene.fetches.stop();
        // A search takes its time. The cursor must be the one from before, or another run's move of it would pass for
        // set by hand; and the head must not be older than what was found.
        const [again, latest] = await together(
          stores.cursor.read(),
          readHead(remote.host, repository.branch),
        );
        if (again?.identity !== cursor?.identity) continue;
        head = latest ?? head;
      }
    }
    const { ref } = head;
    const decision = decide({ cursor, tail: tail?.record, head: head.commit, now, leaseMilliseconds: lease });
    const begin = (number: number, from: string | undefined, to: string): ClaimedStep => ({
      ...planStep(from, to, bounds.scheduledTime),
      schemaVersion: 1,
      state: "claimed",
      number,
      repository: repository.location.url,
      ref,
      binary: bounds.binary,
      last: from ?? null,
      cursor: cursor?.identity ?? null,
      previous: tail ? recordName(tail.record.number) : null,
      expected: null,
      owner,
      claimed,
      scheduled: bounds.scheduledTime.toISOString(),
    });

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
    if (decision.do === "adopt") {
      const { number, adoption } = decision;
      // What was seen still holds, with this record as the newest: if it is so no more, the claim after it fails.
      adopted = await adopt(scene, { ...begin(number, adoption.to, adoption.to), ...adoption });
      continue;
    }
    if (decision.do === "move") {
      // Owned first, so that no other run takes the chain further before the cursor has moved.
      const held = await writeStep(objects, { ...decision.tail, owner, claimed }, tail?.tag);
      if (held) await moveCursor(scene, cursor, held);
      continue;
    }

    // Claim, or take over what is left of somebody's claim. Of all runs that try, one succeeds.
    const held =
      decision.do === "claim"
        ? await writeStep(objects, begin(decision.number, decision.from, head.commit), undefined)
        : await writeStep(objects, { ...decision.tail, owner, claimed }, tail?.tag);
    if (held === undefined) {
      await scene.fetches.stop();
      continue;
    }

    // Fetch, store, complete.
    const instead = decision.do === "finish" ? decision.instead : undefined;
    const left = decision.do === "finish" ? { instead, cursor } : undefined;
    const { done, head: latest } = await perform(scene, held, head, left);
    steps.push({ step: done.record, place: done.record.diff && objects.place(done.record.diff) });
    head = latest;

    // Move, unless the cursor was set by hand since the step was claimed.
    if (instead) continue;
    await moveCursor(scene, cursor, done);
    if (done.record.to === head.commit) return { status: "collected", steps };
  }
  throw new Error("Other runs keep changing the chain of steps.");
}

/**
 * The newest record where all is as it should be, by one look instead of a search: the cursor's version numbers it.
 * That there is none newer need not be known: a claim of the number after it would fail.
 */
async function lookQuickly(
  objects: ObjectStore,
  cursor: Cursor | undefined,
  head: string,
): Promise<Held<StepRecord> | undefined | "unclear"> {
  if (cursor === undefined || cursor.version === 0) return "unclear";
  if (cursor.commit === head) {
    // Nothing to collect is the most common case: then it is enough that nobody has begun a step from here.
    for await (const _ of objects.list("_steps/", recordName(cursor.version))) return "unclear";
    return undefined;
  }
  const tail = await readStep(objects, cursor.version);
  return tail?.record.state === "complete" && tail.record.to === cursor.commit ? tail : "unclear";
}

/** @throws CursorError, and LimitError once the step may have been taken over; then it is free for the next run */
async function moveCursor(scene: Scene, cursor: Cursor | undefined, held: Held<CompleteStep>): Promise<void> {
  const { record } = held;
  try {
    if (Date.now() >= Date.parse(record.claimed) + scene.bounds.leaseSeconds * 1_000) throw leaseLost(record);
    // Also where the step ends where it began: then its version comes up with the step's number.
    await scene.stores.cursor.move(cursor, record.to);
  } catch (error) {
    await release(scene, held);
    throw error;
  }
}

const leaseLost = ({ number }: CompleteStep) =>
  new LimitError(
    "lease-lost",
    `The run took longer than STEP_LEASE_SECONDS, and its step ${recordName(number)} may have been taken over.`,
    "The next run goes on from there; raise STEP_LEASE_SECONDS.",
  );
