import { createHash } from "node:crypto";
import { recordName } from "../chain/record.ts";
import { readRecordTexts } from "../chain/record-texts.ts";
import { StoreError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { chainOf, damagedPlace, digestOf, listPayload, openChain, sha256Of } from "./chain.ts";
import { type DeltaFile, type Manifest, manifestName } from "./manifest.ts";
import type { DeltaFacts, Follow, Payload, Step } from "./step.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

/** Some steps of a chain, as one file. */
export interface Delta extends DeltaFacts {
  /** The file itself. @throws StoreError where an object is not what its record says */
  content(): AsyncIterable<Uint8Array>;
}

/**
 * Collects the complete steps of a chain that come after another one. Reads and checks all records.
 * @param since the number of the step that the delta continues from; undefined for the whole chain
 * @throws StoreError
 */
export async function exportDelta(objects: ObjectStore, since: number | undefined): Promise<Delta> {
  let follow: Follow | undefined;
  let base: Manifest["since"] = null;
  let chain: Manifest["chain"] = "diffs";
  let last: Step | undefined;
  let unfinished: string | undefined;
  const records: DeltaFile[] = [];
  const payload = new Map<string, Payload>();
  for await (const record of readRecordTexts(objects)) {
    const { name, text } = record;
    if (follow === undefined) {
      chain = chainOf(record);
      follow = openChain(chain);
    }
    if (unfinished !== undefined)
      throw damagedPlace(objects.address(unfinished), "is not complete, but other steps follow it");
    const step = follow(record, (problem) => damagedPlace(objects.address(name), problem));
    // A step that a run has claimed, or left.
    if (step === undefined) {
      unfinished = name;
      continue;
    }
    const file = { name, bytes: Buffer.byteLength(text), sha256: sha256Of(text) };
    if (step.number === since) base = { name, sha256: file.sha256 };
    if (since !== undefined && step.number <= since) continue;
    records.push(file);
    last = step;
    // Two steps may have the same diff: the same change, undone and made again within a minute.
    for (const file of step.payload) payload.set(file.name, file);
  }
  if (since === undefined ? records.length === 0 : base === null) throw noStep(objects, since);
  const there = await listPayload(objects, chain);
  const files = [...records];
  for (const { name, bytes, sha256 } of payload.values()) {
    if (!there.has(name)) throw damagedPlace(objects.address(name), "is missing, which a record names");
    files.push(
      bytes === null || sha256 === null
        ? { name, ...(await digestOf(objects, name)) }
        : { name, bytes, sha256 },
    );
  }
  const manifest = { format: "git-diff-to-s3 delta", version: 1, chain, since: base, files } as const;
  const content = () => writeDelta(objects, manifest);
  return {
    chain,
    since: since ?? null,
    until: last?.number ?? since ?? null,
    steps: records.length,
    files: files.length - records.length,
    to: last?.to ?? null,
    content,
  };
}

async function* writeDelta(objects: ObjectStore, manifest: Manifest): AsyncGenerator<Uint8Array, void, void> {
  const text = Buffer.from(`${JSON.stringify(manifest)}\n`);
  yield Buffer.concat([tarHeader(manifestName, text.length), text, tarPadding(text.length)]);
  for (const { name, bytes, sha256 } of manifest.files) {
    yield tarHeader(name, bytes);
    const hash = createHash("sha256");
    let read = 0;
    for await (const chunk of letTimersRun(objects.read(name))) {
      hash.update(chunk);
      read += chunk.length;
      if (read > bytes) break;
      yield chunk;
    }
    if (read !== bytes || hash.digest("hex") !== sha256)
      throw damagedPlace(objects.address(name), "is not what its record says");
    yield tarPadding(bytes);
  }
  yield tarEnd;
}

const noStep = (objects: ObjectStore, since: number | undefined) =>
  new StoreError(
    "step-missing",
    `${objects.address("")} has no complete step${since === undefined ? "" : ` ${recordName(since)}`}.`,
    "Give the place of a mirror or of diffs, and a step that it has.",
  );
