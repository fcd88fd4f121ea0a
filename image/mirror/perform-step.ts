import { readFile } from "node:fs/promises";
import packageFile from "../../package.json" with { type: "json" };
import type { Claim } from "../chain/claim.ts";
import { openIndex } from "../git/pack-index.ts";
import { findPointers } from "../lfs/find-pointers.ts";
import type { LargeFile } from "../lfs/pointer.ts";
import { archiveChanges, isArchived, liveId } from "./archive.ts";
import { checkTags } from "./check-tags.ts";
import { incomplete, proveClosure } from "./closure.ts";
import { choosePacks, mergePacks, sizesOf } from "./consolidate.ts";
import type { MirrorContext } from "./context.ts";
import { fetchParts } from "./fetch-parts.ts";
import { findRewritten } from "./find-rewritten.ts";
import { type Indexes, openIndexes } from "./indexes.ts";
import { filesOf } from "./missing-files.ts";
import type { ClaimedMirrorStep, CompleteMirrorStep } from "./record.ts";
import { detachedHead, type Refusals, withoutRefused } from "./refusals.ts";
import { applyChanges, changesBetween, type State, stateId } from "./state.ts";
import { storePack } from "./store-pack.ts";

/** What a step is about. */
export interface StepPlan {
  /** The state that is published. */
  readonly before: State;
  /** The state to reach. */
  readonly after: State;
  /** The packs that are published, newest first. */
  readonly packs: readonly string[];
  /** Receives the refs that the host refuses. */
  readonly refused: Refusals;
  /** The large files that are stored since the last step, and those that were missing after it. */
  readonly found: readonly LargeFile[];
  readonly missing: readonly LargeFile[];
}

/**
 * Fetches the objects of a claimed step, proves that nothing is missing, stores them, and completes the record. Refs that
 * the host refuses stay as they were.
 * @returns undefined where nothing else is new; the step is free then
 * @throws GitError, StoreError, LimitError; all of them free the step for the next run
 */
export async function performStep(
  context: MirrorContext,
  claim: Claim<ClaimedMirrorStep>,
  plan: StepPlan,
): Promise<CompleteMirrorStep | undefined> {
  const { before, after, packs, refused, found, missing } = plan;
  try {
    const indexes = openIndexes(context.objects, packs);
    const { pack, replaces, pointers } = await fetchAndStore(context, plan, indexes);
    const { state: reached, left } = withoutRefused(after, before, refused);
    const changed = changesBetween(before, reached);
    if (left.length > 0 && stateId(reached) === claim.record.from) {
      await claim.release();
      return undefined;
    }
    const moved = await findRewritten(context.objects, changed, indexes);
    const lost = [...(moved.rewritten ?? []), ...(moved.undecided ?? [])];
    const kept = context.archives ? archiveChanges(claim.record.number, before, changed, lost) : [];
    const state = applyChanges(reached, reached.head, kept);
    const live = liveId(state, context.prefixes);
    const rest = packs.filter((name) => !replaces.includes(name));
    const { record } = await claim.complete<CompleteMirrorStep>({
      ...claim.record,
      state: "complete",
      to: stateId(state),
      head: state.head,
      refs: changesBetween(before, state),
      ...moved,
      ...(left.length > 0 && { refused: left.map(({ name }) => name) }),
      pack,
      replaces,
      packs: pack ? [pack.name, ...rest] : rest,
      ...filesOf(found, ...missing, ...pointers),
      ...(live && { live }),
      gitVersion: await context.gitVersion(),
      workerVersion: packageFile.version,
      started: claim.record.claimed,
      finished: new Date().toISOString(),
    });
    return record;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

const nothingNew = { pack: null, replaces: [], pointers: [] };

async function fetchAndStore(
  context: MirrorContext,
  { before, after, packs, refused }: StepPlan,
  indexes: Indexes,
): Promise<Pick<CompleteMirrorStep, "pack" | "replaces"> & { readonly pointers: readonly LargeFile[] }> {
  const { objects, onProgress, largeFiles } = context;
  const here = new Set(before.refs.map(({ id }) => id));
  const changes = changesBetween(before, after);
  const tips = changes.flatMap(([name, , id]) => (id === null || here.has(id) ? [] : { name, id }));
  const detached = detachedHead(after);
  if (detached !== undefined && after.head !== before.head) tips.push({ name: "HEAD", id: detached });
  const nothing = async () => {
    await checkTags(before, changes, { scratch: undefined, objects, indexes });
    return nothingNew;
  };
  if (tips.length === 0) return nothing();
  const earlier = await indexes.published();
  // What is in a pack is there with everything it needs: a branch that was deleted may come back.
  const isHere = (id: string) => earlier.some((index) => index.has(id));
  const wanted = [...new Set(tips.map(({ id }) => id))].filter((id) => !isHere(id));
  if (wanted.length === 0) return nothing();
  const changed = changes.flatMap(([, id]) => id ?? []);
  // The host reads the first ones only, and new branches mostly begin at HEAD. It may have lost what was archived.
  const head = before.refs.find(({ name }) => before.head === `ref: ${name}`)?.id ?? detachedHead(before);
  const hosted = before.refs.flatMap(({ name, id }) => (isArchived(name, context.prefixes) ? [] : id));
  const haves = [...new Set([...changed, head ?? [], ...hosted].flat())];
  const scratch = await context.openScratch();
  const { parts, refusals } = await fetchParts(context, scratch, wanted, haves, packs.length === 0);
  for (const { name, id } of tips) {
    const reason = refusals.get(id);
    if (reason !== undefined) refused.set(name, { name, id, reason });
  }
  const sent = wanted.filter((id) => !refusals.has(id));
  const [first, ...others] = parts.map(({ index }) => index);
  if (first === undefined) {
    if (sent[0] !== undefined) throw incomplete(sent[0]);
    return nothing();
  }
  const isProved = packs.length === 0 && parts.length === 1;
  if (!isProved) await proveClosure(scratch, first, [...others, ...earlier], sent);
  else for (const id of sent) if (!first.has(id)) throw incomplete(id);
  await checkTags(before, changes, { scratch, objects, indexes });
  // Before older packs come into the scratch repository, whose pointers are known.
  const pointers = largeFiles ? await findPointers(scratch) : [];
  const bytes = parts.reduce((sum, { stored }) => sum + stored.bytes, 0);
  const replaces = choosePacks(await sizesOf(objects, packs), bytes);
  const stored = parts.map(({ stored }) => stored);
  const merged = await mergePacks(objects, scratch, stored, replaces);
  // One that was not merged is known. That of a million objects has 28 MB.
  const known = parts.find(({ stored }) => stored === merged);
  const index = known?.index ?? openIndex(await readFile(merged.index));
  const pack = await storePack(objects, merged, index, onProgress);
  indexes.add({ name: pack.name, index });
  return { pack, replaces, pointers };
}
