import { createHash } from "node:crypto";
import { recordName } from "../chain/record.ts";
import { readRecordTexts } from "../chain/record-texts.ts";
import { StoreError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type CompleteMirrorStep, type MirrorRecord, parseMirrorRecord } from "./record.ts";

/** A complete step of a mirror. */
export interface MirrorStep {
  readonly record: CompleteMirrorStep;
  /** Of the record's bytes. */
  readonly sha256: string;
}

/**
 * Reads a mirror's complete steps from the first one on, and checks that they are one chain: each record names the one
 * before by the hash of its bytes, and begins at the state where that one ends. Whether the changes of the refs lead
 * there is for the reader to check, where it relies on a state.
 * @param last the number of the last step to read; all unless set
 * @throws StoreError where the chain is broken
 */
export async function* readMirrorChain(
  objects: ObjectStore,
  last?: number,
): AsyncGenerator<MirrorStep, void, void> {
  let before: MirrorStep | undefined;
  const range = { last: last === undefined ? undefined : recordName(last) };
  for await (const { name, text } of readRecordTexts(objects, range)) {
    before = nextMirrorStep(before, name, text, (problem) => brokenChain(objects.address(name), problem));
    // A step that a run has claimed, or left: nothing of it is published.
    if (before === undefined) return;
    yield before;
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
  return { record, sha256: createHash("sha256").update(text).digest("hex") };
}

/** What is wrong with a record whose `to` is another id than that of the state after its changes. */
export const otherState = "does not lead to the state whose id it has";

function parse(text: string): MirrorRecord | undefined {
  try {
    return parseMirrorRecord(text);
  } catch {
    return undefined;
  }
}

/** The error of a record that is not what the others say. */
export const brokenChain = (address: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${address} ${problem}.`,
    "Restore the record from the bucket's versions; verify shows more.",
  );
