import { recordName } from "../chain/record.ts";
import type { LargeFile } from "../lfs/pointer.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { changingState } from "./changing-state.ts";
import { brokenChain, otherState, readMirrorChain } from "./read-chain.ts";
import type { CompleteMirrorStep, MirrorPack } from "./record.ts";
import { namedFiles } from "./restore-lfs.ts";
import type { State } from "./state.ts";

/** Which state is wanted: that of a step, that of a time, or the newest one. */
export interface Moment {
  readonly step?: number;
  /** The newest step that had ended by then. */
  readonly at?: Date;
}

/** A step that was found, and what the records up to it say. */
export interface FoundStep {
  readonly record: CompleteMirrorStep;
  readonly state: State;
  /** The packs of all steps up to it, by name. */
  readonly packs: ReadonlyMap<string, MirrorPack>;
  /** The large files that it needs, as far as the mirror has them by now. */
  readonly files: readonly LargeFile[];
}

/**
 * Reads the records until the one that is wanted is known, and checks that they lead to its state. Undefined where there is no such step.
 * @param names receives the name of each ref that any step has changed; then all records are read
 * @throws StoreError where the chain is broken
 */
export async function findStep(
  objects: ObjectStore,
  moment: Moment,
  names?: Set<string>,
): Promise<FoundStep | undefined> {
  const state = changingState();
  const packs = new Map<string, MirrorPack>();
  const files = namedFiles();
  let found: CompleteMirrorStep | undefined;
  /** The steps behind the one that was found, whose times are not in their order where clocks differ. */
  let waiting: CompleteMirrorStep[] = [];
  // The record behind a step has the hash of that step's record.
  const last = moment.step === undefined || names ? undefined : moment.step + 1;
  for await (const { record } of readMirrorChain(objects, last)) {
    if (record.pack) packs.set(record.pack.name, record.pack);
    for (const [name] of record.refs) names?.add(name);
    files.add(record);
    waiting.push(record);
    if (!isWanted(record, moment)) continue;
    for (const step of waiting) state.apply(step);
    [found, waiting] = [record, []];
  }
  if (found === undefined) return undefined;
  if (state.id() !== found.to) throw brokenChain(objects.address(recordName(found.number)), otherState);
  // What was missing then may have come with a later step.
  if (last !== undefined && found.lfsMissing)
    for await (const { record } of readMirrorChain(objects)) files.add(record);
  return { record: found, state: state.now(), packs, files: files.upTo(found.number) };
}

function isWanted({ number, finished }: CompleteMirrorStep, { step, at }: Moment): boolean {
  if (step !== undefined) return number === step;
  return at === undefined || Date.parse(finished) <= at.getTime();
}
