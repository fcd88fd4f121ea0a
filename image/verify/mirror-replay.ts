import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { recordName } from "../chain/record.ts";
import { indexPack } from "../git/index-pack.ts";
import { openObjectReader } from "../git/objects.ts";
import { openStoredIndex, type PackIndex } from "../git/pack-index.ts";
import { references } from "../git/references.ts";
import { makeScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository, type ScratchRepository } from "../git/scratch-repository.ts";
import { isRefusal } from "../lib/errors.ts";
import type { MirrorPack } from "../mirror/record.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, problem } from "./finding.ts";
import type { VerifiedStep } from "./mirror-chain.ts";
import { comparePack, foreignIndex, indexName, packName } from "./mirror-packs.ts";
import type { OnProgress } from "./read-chain.ts";
import type { Replay } from "./replay.ts";

/** Enough to see what is lost. */
const mostMissing = 10;

/**
 * Proves that every state ever recorded is connected, with one pack at a time on disk. By induction over the steps, each
 * against the packs that it lists: its new tips are in them; the pack that it added is git's, byte by byte, and what that
 * pack's objects name is in them; and a pack that was merged into another is in that one whole.
 * @param chosen the packs to index again; the other checks need the indexes alone
 * @param isSound whether an object is there, as its record says
 * @throws StoreError, LimitError, GitError where git cannot work
 */
export async function replayMirror(
  objects: ObjectStore,
  steps: readonly VerifiedStep[],
  chosen: readonly MirrorPack[],
  isSound: (name: string) => boolean,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: OnProgress },
): Promise<Replay> {
  await using folder = await makeScratchFolder();
  const scratch = openScratchRepository(join(folder.path, "repository.git"), signal);
  const waiting = new Set(chosen.map(({ name }) => name));
  const findings: Finding[] = [];
  let live = new Map<string, PackIndex | undefined>();
  let replayed = 0;
  for (const step of steps) {
    const before = live;
    live = new Map();
    for (const name of step.packs) {
      const index = before.has(name) ? before.get(name) : await readIndex(objects, name, isSound);
      live.set(name, index);
    }
    const indexes = [...live.values()];
    // Without an index, which is a problem already, nothing is known to be missing.
    const isThere = indexes.every((index) => index !== undefined)
      ? (id: string) => indexes.some((index) => index.has(id))
      : () => true;
    const own = step.pack && live.get(step.pack.name);
    if (own) findings.push(...checkMerged(step, own, before));
    const lost = [...new Set(step.tips.filter((id) => !isThere(id)))];
    if (lost.length > 0) findings.push(incomplete(recordName(step.number), lost, "to which refs lead"));
    if (!step.pack || !waiting.delete(step.pack.name) || !isSound(packName(step.pack.name))) continue;
    onProgress(`Replaying pack ${++replayed} of ${chosen.length}`);
    await scratch.reset();
    const found = await replayPack(objects, scratch, step.pack, live.size === 1, isThere);
    if (found) findings.push(found);
  }
  return { findings, steps: replayed };
}

async function readIndex(
  objects: ObjectStore,
  name: string,
  isSound: (name: string) => boolean,
): Promise<PackIndex | undefined> {
  if (!isSound(indexName(name))) return undefined;
  const index = openStoredIndex(Buffer.concat(await Array.fromAsync(objects.read(indexName(name)))));
  return index && name === `pack-${index.packHash}` ? index : undefined;
}

/** Checks that a step's pack has all objects of those that it replaces. */
function checkMerged(
  { pack, replaces }: VerifiedStep,
  own: PackIndex,
  before: ReadonlyMap<string, PackIndex | undefined>,
): Finding[] {
  return replaces.flatMap((name) => {
    const lost: string[] = [];
    for (const id of before.get(name)?.ids() ?? [])
      if (lost.length < mostMissing && !own.has(id)) lost.push(id);
    return lost.length === 0 ? [] : [incomplete(packName(pack?.name ?? ""), lost, `which are in ${name}`)];
  });
}

async function replayPack(
  objects: ObjectStore,
  scratch: ScratchRepository,
  pack: MirrorPack,
  isAlone: boolean,
  isThere: (id: string) => boolean,
): Promise<Finding | undefined> {
  const name = packName(pack.name);
  const hash = createHash("sha256");
  const content = async function* () {
    for await (const chunk of objects.read(name)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  // Not --strict: it refuses old commits that git would not write today, which are the host's and no damage.
  const checks = isAlone ? ["--check-self-contained-and-connected"] : [];
  let rebuilt: Buffer;
  try {
    rebuilt = await readFile((await indexPack(content(), scratch, pack.bytes, undefined, checks)).index);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return comparePack(pack, hash.digest("hex")) ?? broken(name, error.message);
  }
  const altered = comparePack(pack, hash.digest("hex"));
  if (altered) return altered;
  if (createHash("sha256").update(rebuilt).digest("hex") !== pack.indexSha256) {
    return foreignIndex(indexName(pack.name), "is not what git makes of the pack");
  }
  // git itself has proven that nothing is missing.
  if (isAlone) return undefined;
  const lost = new Set<string>();
  await using reader = openObjectReader(scratch);
  for await (const id of references(scratch, reader)) {
    if (!isThere(id)) lost.add(id);
    if (lost.size === mostMissing) break;
  }
  return lost.size === 0 ? undefined : incomplete(name, [...lost], "which its objects need");
}

const remedy =
  "Restore the pack that has them from a backup, or push them to the host again and mirror to a new place.";

const incomplete = (object: string, lost: readonly string[], what: string) =>
  problem(
    "objects-missing",
    object,
    `${object}: these objects, ${what}, are in no pack of that step: ${lost.slice(0, mostMissing).join(", ")}${lost.length >= mostMissing ? " and perhaps more" : ""}.`,
    remedy,
  );

const broken = (name: string, message: string) =>
  problem(
    "pack-broken",
    name,
    `${name} is as it was stored, but git finds it incomplete or broken: ${message}`,
    remedy,
  );
