import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import type { StoredPack } from "../git/index-pack.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { StoreError } from "../lib/errors.ts";
import { notThere } from "../stores/not-there.ts";
import type { ObjectStore } from "../stores/stores.ts";

/** With more packs, a clone needs too many requests. */
const mostPacks = 32;

/**
 * Chooses the packs that a step takes into its own: none while there are few. Then the newest ones, as long as the next
 * one weighs at most twice as much as those before. So an old, large pack is seldom copied.
 * @param packs newest first
 */
export function choosePacks(packs: readonly { name: string; bytes: number }[], newBytes: number): string[] {
  if (packs.length < mostPacks) return [];
  const chosen: string[] = [];
  let sum = newBytes;
  for (const { name, bytes } of packs) {
    if (bytes > 2 * sum) break;
    chosen.push(name);
    sum += bytes;
  }
  return chosen;
}

/** Returns the sizes of packs, in their order. @throws StoreError, also where one is missing */
export async function sizesOf(
  objects: ObjectStore,
  packs: readonly string[],
): Promise<{ name: string; bytes: number }[]> {
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of objects.list("objects/pack/")) sizes.set(basename(name), bytes);
  return packs.map((name) => {
    const bytes = sizes.get(`${name}.pack`);
    if (bytes === undefined) throw notThere(objects.address(`objects/pack/${name}.pack`));
    return { name, bytes };
  });
}

/**
 * Makes one pack of those of a step, which are in the scratch repository, and of these published ones.
 * @throws GitError, StoreError
 */
export async function mergePacks(
  objects: ObjectStore,
  scratch: ScratchRepository,
  stored: readonly StoredPack[],
  packs: readonly string[],
): Promise<StoredPack> {
  if (stored[0] && stored.length + packs.length === 1) return stored[0];
  // The index last: git opens packs by their indexes.
  for (const name of packs) {
    await pipeline(readPack(objects, name), createWriteStream(scratch.packPath(`${name}.pack`)));
    await pipeline(
      objects.read(`objects/pack/${name}.idx`),
      createWriteStream(scratch.packPath(`${name}.idx`)),
    );
  }
  const own = stored.map(({ index }) => basename(index, ".idx"));
  const names = [...own, ...packs].map((name) => `${name}.pack\n`).join("");
  const command = [
    "pack-objects",
    "--stdin-packs",
    "--delta-base-offset",
    "--threads=1",
    "-q",
    scratch.packPath("pack"),
  ];
  const hash = (await scratch.run(command, { input: names })).trim();
  const index = scratch.packPath(`pack-${hash}.idx`);
  return { index, bytes: (await stat(index.replace(/\.idx$/, ".pack"))).size };
}

const hashBytes = 20;

/** Streams a pack, whose name and last bytes are the hash of all that is before. @throws StoreError where they are not */
async function* readPack(objects: ObjectStore, name: string): AsyncGenerator<Uint8Array> {
  const file = `objects/pack/${name}.pack`;
  const hash = createHash("sha1");
  let end: Buffer = Buffer.alloc(0);
  for await (const chunk of objects.read(file)) {
    const all = Buffer.concat([end, chunk]);
    end = all.subarray(-hashBytes);
    hash.update(all.subarray(0, all.length - end.length));
    yield chunk;
  }
  const digest = hash.digest("hex");
  if (name === `pack-${digest}` && end.toString("hex") === digest) return;
  throw new StoreError(
    "mirror-damaged",
    `${objects.address(file)} is not the pack of its name, and cannot be merged into a new one.`,
    "Nothing was published. Restore it from the bucket's versions; verify shows more.",
  );
}
