import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Claim } from "../chain/claim.ts";
import { isRecordName, leaseEnd, recordName, recordPrefix } from "../chain/record.ts";
import { readRecordBy, type Versioned } from "../chain/record-store.ts";
import type { Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { connect, type Network } from "../fetch/connect.ts";
import { makeScratchFolder, type ScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository } from "../git/scratch-repository.ts";
import { GitError, StoreError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { processName } from "../lib/process-name.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { MirrorContext } from "./context.ts";
import { readLastStep } from "./last-step.ts";
import type { MirrorOutcome } from "./outcome.ts";
import { performStep } from "./perform-step.ts";
import { type MirrorCursor, publish, readMirrorCursor, readPublished } from "./published.ts";
import { readState } from "./read-state.ts";
import {
  type ClaimedMirrorStep,
  type CompleteMirrorStep,
  type MirrorRecord,
  parseMirrorRecord,
} from "./record.ts";
import { changesBetween, type State, stateId } from "./state.ts";

/** What all mirrors of a run share. */
export interface MirrorServices extends Network {
  readonly gitVersion: () => Promise<string>;
  readonly isGone: (processName: string) => boolean;
}

/** Mirrors one repository. @throws GitError, StoreError, LimitError; HostPaused where its host has asked for a pause */
export async function mirror(
  { location, credentials, mirror: prefixes = [] }: Repository,
  objects: ObjectStore,
  settings: Settings,
  services: MirrorServices,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Promise<MirrorOutcome> {
  let folder: ScratchFolder | undefined;
  try {
    return await mirrorSteps({
      objects,
      connection: connect(location, credentials, services, signal, onProgress),
      prefixes,
      settings,
      url: location.url,
      owner: `${randomUUID()}@${processName()}`,
      isGone: (owner) => services.isGone(owner.split("@")[1] ?? ""),
      async openScratch() {
        folder ??= await makeScratchFolder();
        const scratch = openScratchRepository(join(folder.path, "repository.git"), signal);
        await scratch.reset();
        return scratch;
      },
      gitVersion: services.gitVersion,
      signal,
      onProgress,
      now: Date.now,
    });
  } finally {
    await folder?.[Symbol.asyncDispose]();
  }
}

/** Other runs may change the chain between two turns, but hardly so often. */
const maxTurns = 100;

async function mirrorSteps(context: MirrorContext): Promise<MirrorOutcome> {
  const { objects } = context;
  const steps: CompleteMirrorStep[] = [];
  const done = (outcome: MirrorOutcome): MirrorOutcome =>
    steps.length > 0 ? { status: "mirrored", steps, storedAt: objects.address("") } : outcome;
  for (let turn = 0; turn < maxTurns; turn++) {
    // Take `now` first: an owner whose lease had expired by then can no longer complete its step.
    const now = context.now();
    const cursor = await readMirrorCursor(objects);
    const state = await readState(context.connection, context.prefixes);
    const tail = await readTail(objects, cursor.number);
    if (tail?.record.state === "complete") {
      // Its run was killed before the step was published, or is about to publish it.
      await publish(objects, tail.record, await readPublished(objects));
      continue;
    }
    if (tail && isLive(context, tail.record, now)) {
      const until = new Date(leaseEnd(tail.record, 0)).toISOString();
      return done({ status: "locked", record: recordName(tail.record.number), until });
    }
    if (state === undefined) {
      if (cursor.number === 0) return { status: "empty" };
      throw emptied(cursor.number);
    }
    if (!tail && stateId(state) === cursor.state) return done({ status: "unchanged", state: cursor.state });
    const claimed = tail as Versioned<ClaimedMirrorStep> | undefined;
    const step = await mirrorStep(context, state, cursor, claimed, now);
    if (step) steps.push(step);
  }
  throw new Error("Other runs keep changing the mirror.");
}

/** Mirrors one step from what is published to `state`. Undefined where another run was first. */
async function mirrorStep(
  context: MirrorContext,
  state: State,
  cursor: MirrorCursor,
  tail: Versioned<ClaimedMirrorStep> | undefined,
  now: number,
): Promise<CompleteMirrorStep | undefined> {
  const { objects } = context;
  const number = cursor.number + 1;
  const published = await readPublished(objects);
  // The files may be older than a cursor that was moved meanwhile.
  if (published.cursor.number !== cursor.number || (tail && tail.record.number !== number)) return undefined;
  const last = await readLastStep(objects, published).catch(async (error) => {
    // They may be newer than the cursor: another run has completed the next step, and is about to publish it.
    const next = error instanceof StoreError && (await readRecordBy(parseMirrorRecord, objects, number));
    if (next && next.record.state === "complete") return undefined;
    throw error;
  });
  if (last === undefined) return undefined;
  const plan = {
    number,
    kind: number === 1 ? "baseline" : "change",
    from: number === 1 ? emptyTree : published.cursor.state,
    to: stateId(state),
    head: state.head,
    refs: changesBetween(last.state, state),
    owner: context.owner,
    claimed: new Date(now).toISOString(),
    leaseSeconds: context.settings.leaseSeconds,
  } as const;
  const claim = tail
    ? await Claim.takeOver<ClaimedMirrorStep>(
        objects,
        { record: { ...tail.record, ...plan }, etag: tail.etag },
        plan,
      )
    : await Claim.create<ClaimedMirrorStep>(objects, {
        ...plan,
        previous: last.previous,
        before: last.before,
        schemaVersion: 1,
        payload: "mirror",
        state: "claimed",
        repository: context.url,
      });
  if (claim === undefined) return undefined;
  const record = await performStep(context, claim, last.state, last.packs);
  await publish(objects, record, published);
  return record;
}

/** Reads the newest record behind a number. There is one at most, but for runs that are at work now. */
async function readTail(objects: ObjectStore, number: number): Promise<Versioned<MirrorRecord> | undefined> {
  for await (const { name } of objects.list(recordPrefix, recordName(number))) {
    if (isRecordName(name)) return readRecordBy(parseMirrorRecord, objects, number + 1);
  }
  return undefined;
}

function isLive(context: MirrorContext, record: MirrorRecord, now: number): boolean {
  return now < leaseEnd(record, 0) && !context.isGone(record.owner);
}

const emptied = (number: number) =>
  new GitError(
    "repository-emptied",
    `The repository has no branch and no tag any more, but was mirrored up to step ${number}.`,
    "Nothing is lost. If that is intended, remove the mirror from the configuration. Otherwise check the host.",
  );
