import { createHash } from "node:crypto";
import { isRecordName, recordName, recordPrefix } from "../chain/record.ts";
import { StoreError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type CompleteMirrorStep, type MirrorRecord, parseMirrorRecord } from "./record.ts";
import { applyChanges, noState, type State, stateId } from "./state.ts";

/** A complete step of a mirror, and the state that it leads to. */
export interface MirrorStep {
  readonly record: CompleteMirrorStep;
  readonly state: State;
  /** Of the record's bytes. */
  readonly sha256: string;
}

const readAtOnce = 16;

/**
 * Reads a mirror's complete steps from the first one on, and checks that they are one chain: each record names the one
 * before by the hash of its bytes, and leads from its state to the one whose id it has.
 * @throws StoreError where the chain is broken
 */
export async function* readMirrorChain(objects: ObjectStore): AsyncGenerator<MirrorStep, void, void> {
  const names: string[] = [];
  for await (const { name } of objects.list(recordPrefix)) if (isRecordName(name)) names.push(name);
  let before: MirrorStep | undefined;
  for (let first = 0; first < names.length; first += readAtOnce) {
    const some = names.slice(first, first + readAtOnce);
    const texts = await inParallel(some, readAtOnce, async (name) => (await objects.get(name))?.text ?? "");
    for (const [index, text] of texts.entries()) {
      const name = some[index] ?? "";
      before = nextMirrorStep(before, name, text, (problem) => brokenChain(objects.address(name), problem));
      // A step that a run has claimed, or left: nothing of it is published.
      if (before === undefined) return;
      yield before;
    }
  }
}

/**
 * Checks that a record follows a step, or begins a chain, and returns its step. Undefined where it is claimed.
 * @param broken makes the error of what is wrong
 */
export function nextMirrorStep(
  before: MirrorStep | undefined,
  name: string,
  text: string,
  broken: (problem: string) => Error,
): MirrorStep | undefined {
  const number = (before?.record.number ?? 0) + 1;
  if (name !== recordName(number)) throw broken(`follows ${recordName(number - 1)}, so a record is missing`);
  const record = parse(text);
  if (record === undefined) throw broken("is no record of a mirror");
  if (record.state === "claimed") return undefined;
  if (record.number !== number) throw broken("has the number of another record");
  if (record.previous !== (before ? recordName(number - 1) : null))
    throw broken("names another record as the one before");
  if (record.before !== (before?.sha256 ?? null))
    throw broken("does not follow the record before, which was changed");
  if (record.from !== (before?.record.to ?? emptyTree))
    throw broken("does not begin at the state where the record before ends");
  const state = applyChanges(before?.state ?? noState, record.head, record.refs);
  if (record.to !== stateId(state)) throw broken("does not lead to the state whose id it has");
  return { record, state, sha256: createHash("sha256").update(text).digest("hex") };
}

function parse(text: string): MirrorRecord | undefined {
  try {
    return parseMirrorRecord(text);
  } catch {
    return undefined;
  }
}

const brokenChain = (address: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${address} ${problem}.`,
    "Restore the record from the bucket's versions; verify shows more.",
  );
