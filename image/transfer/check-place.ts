import { isRecordName, recordName } from "../chain/record.ts";
import { readRecordTexts } from "../chain/record-texts.ts";
import { StoreError } from "../lib/errors.ts";
import { headName } from "../mirror/published.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { damagedPlace, openChain, sha256Of } from "./chain.ts";
import type { Manifest } from "./manifest.ts";
import type { DeltaStep, Follow } from "./step.ts";

/**
 * Checks that a place has the step that a delta continues from, and the same one, and that its chain leads there.
 * @returns the check of the records that come next
 * @throws StoreError
 */
export async function followBase(objects: ObjectStore, { chain, since }: Manifest): Promise<Follow> {
  const follow = openChain(chain);
  if (since === null) {
    if (chain === "mirror") await checkOwner(objects);
    return follow;
  }
  const address = objects.address(since.name);
  const base = await objects.get(since.name);
  if (base === undefined) throw baseMissing(address);
  if (sha256Of(base.text) !== since.sha256) throw baseOther(address);
  for await (const record of readRecordTexts(objects, { last: since.name })) {
    const broken = (problem: string) => damagedPlace(objects.address(record.name), problem);
    if (follow(record, broken) === undefined) throw broken("is no complete step");
  }
  return follow;
}

/**
 * Checks that a place is no git repository without a chain, such as a restored one: a mirror's HEAD would replace its own, and
 * its `git gc` would delete the mirror's packs. @throws StoreError
 */
async function checkOwner(objects: ObjectStore): Promise<void> {
  if ((await objects.get(headName)) === undefined) return;
  // The records of a mirror come before its HEAD.
  if ((await objects.get(recordName(1))) === undefined) throw otherRepository(objects.address(""));
}

/**
 * Compares a delta's records with those that the place has of the same steps.
 * @returns the steps that are new
 * @throws StoreError where the place has another step
 */
export async function checkRecords(
  objects: ObjectStore,
  { since }: Manifest,
  steps: readonly DeltaStep[],
): Promise<DeltaStep[]> {
  const last = steps.at(-1)?.name;
  if (last === undefined) return [];
  const texts = new Map(steps.map(({ name, text }) => [name, text]));
  const there = new Set<string>();
  for await (const { name, text } of readRecordTexts(objects, { after: since?.name, last })) {
    if (texts.get(name) !== text) throw conflict(objects, name);
    there.add(name);
  }
  return steps.filter(({ name }) => !there.has(name));
}

/** The error of a place that has another object of a name. */
export const conflict = (objects: ObjectStore, name: string) =>
  new StoreError(
    "delta-conflict",
    `${objects.address(name)} is there, and is ${isRecordName(name) ? "another step" : "other bytes"} than in the delta.`,
    "No step of the delta was imported. Give the place to which the deltas of this chain go, and nothing else writes; verify shows whether it is whole.",
  );

const otherRepository = (address: string) =>
  new StoreError(
    "delta-conflict",
    `${address} is another repository: it has a ${headName}, and no step of a mirror.`,
    "Nothing was imported. Give a place that is empty or does not exist, or the one to which the deltas of this chain go.",
  );

const baseMissing = (address: string) =>
  new StoreError(
    "delta-base-missing",
    `The delta continues from a step that is not there: ${address}.`,
    "Nothing was imported. Import the deltas before it first, or export one since a step that is there.",
  );

const baseOther = (address: string) =>
  new StoreError(
    "delta-base-other",
    `The delta continues from another version of ${address}: it is of another chain, or one of the two was changed.`,
    "Nothing was imported. Give the place to which the deltas of this chain go; verify shows whether it is whole.",
  );
