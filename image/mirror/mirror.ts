import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { Claim } from "../chain/claim.ts";
import { isRecordName, leaseEnd, recordName, recordPrefix } from "../chain/record.ts";
import { readRecordBy, type Versioned } from "../chain/record-store.ts";
import type { Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { connect, type Network } from "../fetch/connect.ts";
import { makeScratchFolder, type ScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository } from "../git/scratch-repository.ts";
import type { LargeFile } from "../lfs/pointer.ts";
import { largeFileSource } from "../lfs/source.ts";
import { GitError, StoreError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { processName } from "../lib/process-name.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { withArchived } from "./archive.ts";
import type { MirrorContext } from "./context.ts";
import { fetchMissing, filesMissing, type Lacking } from "./missing-files.ts";
import type { MirrorOutcome } from "./outcome.ts";
import { performStep } from "./perform-step.ts";
import {
  listedPacks,
  type Published,
  packsName,
  publish,
  publishedState,
  readMirrorCursor,
  readPublished,
} from "./published.ts";
import { readState } from "./read-state.ts";
import {
  type ClaimedMirrorStep,
  type CompleteMirrorStep,
  type MirrorRecord,
  parseMirrorRecord,
} from "./record.ts";
import { type Refusal, type Refusals, refRefused, withoutRefused } from "./refusals.ts";
import { changesBetween, type State, stateId } from "./state.ts";

/** What all mirrors of a run share. */
export interface MirrorServices extends Network {
  readonly gitVersion: () => Promise<string>;
  readonly isGone: (processName: string) => boolean;
}

/** Mirrors one repository. @throws GitError, StoreError, LimitError; HostPaused where its host has asked for a pause */
export async function mirror(
  { location, credentials, mirror: prefixes = [], lfs = true, archiveRefs = false }: Repository,
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
      archives: archiveRefs,
      largeFiles: lfs ? largeFileSource(location, credentials, services, signal) : undefined,
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
  const steps: CompleteMirrorStep[] = [];
  try {
    return await takeTurns(context, steps);
  } catch (failure) {
    // What was mirrored before the failure is reported too.
    if (steps.length === 0) throw failure;
    return {
      status: "mirrored",
      steps,
      storedAt: context.objects.address(""),
      failure: context.signal.aborted ? context.signal.reason : failure,
    };
  }
}

/** @param steps receives the steps that this run has published */
async function takeTurns(context: MirrorContext, steps: CompleteMirrorStep[]): Promise<MirrorOutcome> {
  const { objects } = context;
  const refused: Refusals = new Map();
  const lacking: Lacking = new Map();
  const done = (outcome: MirrorOutcome, left: readonly Refusal[] = []): MirrorOutcome => {
    if (left.length > 0) throw refRefused(left);
    if (lacking.size > 0) throw filesMissing(lacking);
    if (steps.length > 0) return { status: "mirrored", steps, storedAt: objects.address("") };
    return outcome;
  };
  for (let turn = 0; turn < maxTurns; turn++) {
    // Take `now` first: an owner whose lease had expired by then can no longer complete its step.
    const now = context.now();
    const cursor = await readMirrorCursor(objects);
    const state = await readState(context.connection, context.prefixes);
    const tail = await readTail(objects, cursor.number);
    if (tail?.record.state === "complete") {
      // Its run was killed before the step was published, or is about to publish it. Whoever does so reports the step.
      if (await publish(objects, tail.record, await readPublished(objects))) steps.push(tail.record);
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
    const unchanged = { status: "unchanged", state: cursor.state } as const;
    let found: readonly LargeFile[] = [];
    if (!tail && stateId(state) === (cursor.live ?? cursor.state)) {
      found = await fetchMissing(context, cursor, lacking);
      if (found.length === 0) return done(unchanged);
    }
    const published = await readPublished(objects);
    // Another run was quicker: the refs of the host were read before its step, and may be older.
    if (published.cursor.number !== cursor.number) continue;
    const before = await publishedState(objects, published);
    if (before === undefined) continue;
    const { state: possible, left } = withoutRefused(
      withArchived(state, before, context.prefixes),
      before,
      refused,
    );
    if (found.length === 0 && (left.length > 0 || !tail) && stateId(possible) === cursor.state) {
      found = await fetchMissing(context, cursor, lacking);
      if (found.length === 0) return done(unchanged, left);
    }
    const step = await mirrorStep(context, { before, after: possible, published, tail, now, refused, found });
    if (step) steps.push(step);
  }
  throw new Error("Other runs keep changing the mirror.");
}

interface Plan {
  readonly before: State;
  readonly after: State;
  readonly published: Published;
  readonly tail: Versioned<MirrorRecord> | undefined;
  readonly now: number;
  /** Receives the refs that the host refuses. */
  readonly refused: Refusals;
  /** The large files that are stored since the last step. */
  readonly found: readonly LargeFile[];
}

/** Mirrors one step. Undefined where another run was first, or where the host refuses all that is new. */
async function mirrorStep(
  context: MirrorContext,
  { before, after, published, tail, now, refused, found }: Plan,
): Promise<CompleteMirrorStep | undefined> {
  const { objects } = context;
  const { cursor } = published;
  const last = await readLast(objects, published);
  const planned: ClaimedMirrorStep = {
    schemaVersion: 1,
    payload: "mirror",
    state: "claimed",
    number: cursor.number + 1,
    repository: context.url,
    kind: cursor.number === 0 ? "baseline" : "change",
    from: cursor.number === 0 ? emptyTree : cursor.state,
    to: stateId(after),
    head: after.head,
    refs: changesBetween(before, after),
    previous: last && recordName(last.record.number),
    before: last && createHash("sha256").update(last.text).digest("hex"),
    owner: context.owner,
    claimed: new Date(now).toISOString(),
    leaseSeconds: context.settings.leaseSeconds,
  };
  const claim = tail
    ? await Claim.takeOver<ClaimedMirrorStep>(objects, { record: planned, etag: tail.etag }, planned)
    : await Claim.create<ClaimedMirrorStep>(objects, planned);
  if (claim === undefined) return undefined;
  const record = await performStep(context, claim, {
    before,
    after,
    packs: listedPacks(published),
    refused,
    found,
    missing: last?.record.lfsMissing ?? [],
  });
  // Where another run has published it meanwhile, or more than it, the next turn sees that.
  if (record) await publish(objects, record, published);
  return record;
}

/**
 * Reads the record of the published step, or null before the first one. A step that followed a damaged one would make the
 * damage a part of the chain. @throws StoreError where the record does not lead to what is published
 */
async function readLast(objects: ObjectStore, published: Published) {
  const { number, state } = published.cursor;
  if (number === 0) return null;
  const previous = recordName(number);
  const { text = "" } = (await objects.get(previous)) ?? {};
  const record = parse(text);
  if (record?.state !== "complete" || record.number !== number || record.to !== state) {
    throw damaged(objects, previous, `is not the record that leads to the state ${state} of step ${number}`);
  }
  if (record.packs.join() !== listedPacks(published).join()) {
    throw damaged(objects, packsName, `does not list the packs of ${previous}`);
  }
  return { record, text };
}

function parse(text: string): MirrorRecord | undefined {
  try {
    return parseMirrorRecord(text);
  } catch {
    return undefined;
  }
}

const damaged = (objects: ObjectStore, name: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${objects.address(name)} ${problem}.`,
    "Nothing was published. Restore it from the bucket's versions; verify shows more.",
  );

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
