import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Part } from "../config/place.ts";
import { inParallel } from "../lib/parallel.ts";
import type { MirrorPack } from "../mirror/record.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, note, problem } from "./finding.ts";
import type { VerifiedStep } from "./mirror-chain.ts";
import type { OnProgress } from "./read-chain.ts";

/** Each is a stream of a large object. */
const packsAtOnce = 8;
const idBytes = 20;

const folder = "objects/pack/";
export const packName = (name: string) => `${folder}${name}.pack`;
export const indexName = (name: string) => `${folder}${name}.idx`;

/** Returns the packs that the steps added, oldest first, each once. */
export function packsOf(steps: readonly VerifiedStep[]): MirrorPack[] {
  return [...new Map(steps.flatMap(({ pack }) => (pack ? [[pack.name, pack] as const] : []))).values()];
}

/**
 * Returns a part of the packs, or of other objects. Each one, oldest first, goes to the part that has the fewest bytes so far: so new packs
 * move no older one to another part, and parts that are checked one after the other leave none out.
 */
export function choosePart<T extends { readonly bytes: number }>(
  packs: readonly T[],
  part: Part | undefined,
): T[] {
  if (part === undefined) return [...packs];
  const bytes = new Array<number>(part.of).fill(0);
  return packs.filter((pack) => {
    const place = bytes.indexOf(Math.min(...bytes));
    bytes[place] = (bytes[place] ?? 0) + pack.bytes;
    return place === part.number - 1;
  });
}

/** Returns the size of every object beside the packs, by name. @throws StoreError */
export async function listPacks(objects: ObjectStore): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of objects.list(folder)) sizes.set(name, bytes);
  return sizes;
}

/** Checks that all packs and indexes are there, the packs in their size, and explains other objects. */
export function checkSizes(
  steps: readonly VerifiedStep[],
  packs: readonly MirrorPack[],
  sizes: ReadonlyMap<string, number>,
): Finding[] {
  const bytesOf = new Map(packs.map(({ name, bytes }) => [packName(name), bytes]));
  // With those whose own record is missing.
  const names = new Set([...packs.map(({ name }) => name), ...steps.flatMap(({ packs }) => packs)]);
  const needed = new Set([...names].flatMap((name) => [packName(name), indexName(name)]));
  const findings = [...needed].flatMap((name) => {
    const [size, bytes] = [sizes.get(name), bytesOf.get(name)];
    if (size === undefined) return [missing(name)];
    return bytes === undefined || size === bytes ? [] : [altered(name, `${size} bytes`, String(bytes))];
  });
  const others = [...sizes.keys()].filter((name) => !needed.has(name));
  return [...findings, ...others.map(unnamed)];
}

/**
 * Checks packs or indexes byte by byte, as far as they are there in their size.
 * @param sizes of all objects beside the packs, by name
 * @throws StoreError
 */
export async function checkContents(
  objects: ObjectStore,
  packs: readonly MirrorPack[],
  kinds: readonly ("pack" | "index")[],
  sizes: ReadonlyMap<string, number>,
  onProgress: OnProgress,
): Promise<Finding[]> {
  let checked = 0;
  const findings = await inParallel(packs, packsAtOnce, async (pack) => {
    const found = [
      kinds.includes("index") ? await checkIndex(objects, pack, sizes) : undefined,
      kinds.includes("pack") ? await checkPack(objects, pack, sizes) : undefined,
    ];
    onProgress(`Checking packs: ${++checked} of ${packs.length}`);
    return found.filter((finding) => finding !== undefined);
  });
  return findings.flat();
}

async function checkPack(
  objects: ObjectStore,
  pack: MirrorPack,
  sizes: ReadonlyMap<string, number>,
): Promise<Finding | undefined> {
  const name = packName(pack.name);
  if (sizes.get(name) !== pack.bytes) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of objects.read(name)) hash.update(chunk);
  return comparePack(pack, hash.digest("hex"));
}

/** Compares a pack's SHA-256 with the recorded one. */
export const comparePack = ({ name, sha256 }: MirrorPack, digest: string): Finding | undefined =>
  digest === sha256 ? undefined : altered(packName(name), `the SHA-256 ${digest}`, sha256);

async function checkIndex(
  objects: ObjectStore,
  pack: MirrorPack,
  sizes: ReadonlyMap<string, number>,
): Promise<Finding | undefined> {
  const name = indexName(pack.name);
  if (!sizes.has(name)) return undefined;
  const hash = createHash("sha256");
  let end: Uint8Array = Buffer.alloc(0);
  for await (const chunk of objects.read(name)) {
    hash.update(chunk);
    end = Buffer.concat([end, chunk.subarray(-2 * idBytes)]).subarray(-2 * idBytes);
  }
  const digest = hash.digest("hex");
  if (digest === pack.indexSha256) return undefined;
  // Its last bytes are the hash of its pack, and its own: https://git-scm.com/docs/gitformat-pack
  const other = `pack-${Buffer.from(end.subarray(0, idBytes)).toString("hex")}`;
  if (other !== pack.name && sizes.has(packName(other)))
    return foreignIndex(name, `is the index of ${other}`);
  return altered(name, `the SHA-256 ${digest}`, pack.indexSha256);
}

const isIndex = (name: string) => name.endsWith(".idx");

const missing = (name: string) =>
  isIndex(name)
    ? problem("index-missing", name, `${name} is missing: git does not see its pack.`, remakeIndex(name))
    : problem(
        "pack-missing",
        name,
        `${name} is missing: clones of the states that need it fail.`,
        restorePack,
      );

const altered = (name: string, found: string, recorded: string) => {
  const message = `${name} is not what was stored: it has ${found} instead of ${recorded}.`;
  return isIndex(name)
    ? problem("index-altered", name, message, remakeIndex(name))
    : problem("pack-altered", name, message, restorePack);
};

/** @param what it is instead */
export const foreignIndex = (name: string, what: string) =>
  problem("index-foreign", name, `${name} ${what}, and not of its own pack.`, remakeIndex(name));

const unnamed = (name: string) =>
  note(
    "object-unnamed",
    name,
    `No record names ${name}: a run that died has stored it, or one at work is about to name it.`,
    "Nothing: no reader looks at it.",
  );

const remakeIndex = (name: string) =>
  `Restore it from the bucket's versions, or make it anew from its pack: git index-pack ${basename(name, ".idx")}.pack`;

const restorePack =
  "Restore it from the bucket's versions or a backup. Without one, mirror to a new place; the states here that do not need it can still be restored.";
