import { isRecordName } from "../chain/record.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { digestOf, listPayload } from "./chain.ts";
import { checkPayload } from "./check-payload.ts";
import { checkRecords, conflict, followBase } from "./check-place.ts";
import { type DeltaFile, largestTextBytes, noDelta } from "./manifest.ts";
import { publishMirror } from "./publish.ts";
import { type OpenDelta, openDelta } from "./read-delta.ts";
import type { DeltaFacts, DeltaStep, Follow, Payload } from "./step.ts";
import { carryAgain } from "./tar.ts";

/**
 * Imports a delta into a place. First everything but the content of packs and diffs is checked. Then these are stored, each
 * one only if it is whole, and no record names them yet. Once the delta has ended as it should, the records follow, and a
 * mirror's published files. What is there already stays.
 * @returns what was new
 * @throws StoreError
 */
export async function importDelta(
  source: AsyncIterable<Uint8Array>,
  objects: ObjectStore,
  signal: AbortSignal,
): Promise<DeltaFacts> {
  const delta = await openDelta(source);
  const { manifest } = delta;
  const steps = await readSteps(delta, await followBase(objects, manifest));
  const payload = checkPayload(manifest, steps);
  const newSteps = await checkRecords(objects, manifest, steps);
  const there = await listPayload(objects, manifest.chain);
  let files = 0;
  for (const [file, { details }] of payload)
    if (await store(objects, file, details, await delta.next(file), there.has(file.name))) files++;
  await delta.end();
  for (const { name, text, step } of newSteps) {
    const isNew = await objects.putIf(name, text, undefined, step.details);
    if (isNew === undefined && (await objects.get(name))?.text !== text) throw conflict(objects, name);
  }
  if (manifest.chain === "mirror") await publishMirror(objects, signal);
  const since = manifest.since && numberOf(manifest.since.name);
  const last = steps.at(-1)?.step;
  return {
    chain: manifest.chain,
    since,
    until: last?.number ?? since,
    steps: newSteps.length,
    files,
    to: last?.to ?? null,
  };
}

/** Reads the records of a delta, each of which must follow the one before. */
async function readSteps({ manifest, next }: OpenDelta, follow: Follow): Promise<DeltaStep[]> {
  const steps: DeltaStep[] = [];
  for (const file of manifest.files.filter(({ name }) => isRecordName(name))) {
    const { name, bytes } = file;
    if (bytes > largestTextBytes) throw noDelta(`${name} has ${bytes} bytes`);
    const content = Buffer.concat(await Array.fromAsync(await next(file)));
    const text = content.toString();
    const broken = (problem: string) => brokenChain(name, problem);
    if (!Buffer.from(text).equals(content)) throw broken("is no text");
    const step = follow({ name, text }, broken);
    if (step === undefined) throw broken("is no complete step");
    steps.push({ name, text, step });
  }
  return steps;
}

/** Stores a file, or compares it with the one that is there. Returns whether it is new. */
async function store(
  objects: ObjectStore,
  { name, sha256 }: DeltaFile,
  details: Payload["details"],
  body: AsyncIterable<Uint8Array>,
  isThere: boolean,
): Promise<boolean> {
  if (!isThere && (await objects.put(name, body, details))) return true;
  for await (const _ of body);
  if ((await digestOf(objects, name)).sha256 !== sha256) throw conflict(objects, name);
  return false;
}

const numberOf = (record: string) => Number(/\d+/.exec(record)?.[0]);

const brokenChain = (name: string, problem: string) =>
  new StoreError("delta-chain", `The delta's ${name} ${problem}.`, carryAgain);
