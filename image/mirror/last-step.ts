import { createHash } from "node:crypto";
import { recordName } from "../chain/record.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { listedPacks, type Published, packsName, publishedState } from "./published.ts";
import { parseMirrorRecord } from "./record.ts";
import type { State } from "./state.ts";

/** Where a new step begins: what is published, and the record that it follows. */
export interface LastStep {
  readonly state: State;
  /** The packs to read, newest first. */
  readonly packs: readonly string[];
  /** The name of the record; null before the first step. */
  readonly previous: string | null;
  /** The SHA-256 of its bytes. */
  readonly before: string | null;
}

/**
 * Reads the record of the published step. It must agree with the cursor and with every published file: a step that
 * followed one that was changed would make the change a part of the chain.
 * @throws StoreError where they disagree
 */
export async function readLastStep(objects: ObjectStore, published: Published): Promise<LastStep> {
  const state = publishedState(objects, published);
  const { number, state: id } = published.cursor;
  if (number === 0) return { state, packs: [], previous: null, before: null };
  const name = recordName(number);
  const { text = "" } = (await objects.get(name)) ?? {};
  const record = parse(text);
  if (record?.state !== "complete" || record.number !== number || record.to !== id) {
    throw damaged(objects.address(name), `is not the record of step ${number} with the state ${id}`);
  }
  if (record.packs.join() !== listedPacks(published).join()) {
    throw damaged(objects.address(packsName), `does not list the packs of ${name}`);
  }
  const before = createHash("sha256").update(text).digest("hex");
  return { state, packs: record.packs, previous: name, before };
}

function parse(text: string) {
  try {
    return parseMirrorRecord(text);
  } catch {
    return undefined;
  }
}

const damaged = (address: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${address} ${problem}.`,
    "Nothing was published. Restore it from the bucket's versions; verify shows more.",
  );
