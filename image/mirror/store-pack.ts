import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import type { StoredPack } from "../git/index-pack.ts";
import type { PackIndex } from "../git/pack-index.ts";
import { StoreError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { MirrorPack } from "./record.ts";

/** After so many bytes, their memory is freed. Bun alone would let it grow. */
const bytesBetweenCollections = 16 * 1024 ** 2;

/** Stores a pack, then its index: a reader that finds an index finds the pack. Both may be there already. @throws StoreError */
export async function storePack(
  objects: ObjectStore,
  stored: StoredPack,
  index: PackIndex,
  onProgress: ((line: string) => void) | undefined,
): Promise<MirrorPack> {
  const name = basename(stored.index, ".idx");
  const pack = await storeFile(objects, stored.index.replace(/\.idx$/, ".pack"), onProgress);
  const { bytes: indexBytes, sha256: indexSha256 } = await storeFile(objects, stored.index, undefined);
  return { name, ...pack, objects: index.count, indexBytes, indexSha256 };
}

async function storeFile(
  objects: ObjectStore,
  path: string,
  onProgress: ((line: string) => void) | undefined,
): Promise<{ bytes: number; sha256: string }> {
  const name = `objects/pack/${basename(path)}`;
  const hash = createHash("sha256");
  let bytes = 0;
  let collected = 0;
  async function* counted() {
    for await (const chunk of letTimersRun(createReadStream(path) as AsyncIterable<Uint8Array>)) {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes - collected > bytesBetweenCollections) {
        collected = bytes;
        Bun.gc(true);
      }
      onProgress?.(`Storing pack: ${(bytes / 1024 ** 2).toFixed(1)} MiB`);
      yield chunk;
    }
  }
  const isNew = await objects.put(name, counted(), { contentType: "application/octet-stream", metadata: {} });
  if (isNew) return { bytes, sha256: hash.digest("hex") };
  // Its name is the hash of its content, so what is there should be the same. Another run has stored it.
  const [local, there] = [
    await digest(letTimersRun(createReadStream(path))),
    await digest(objects.read(name)),
  ];
  if (local.sha256 !== there.sha256) throw taken(objects.address(name));
  return local;
}

async function digest(content: AsyncIterable<Uint8Array>): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

const taken = (address: string) =>
  new StoreError(
    "mirror-damaged",
    `${address} is there, and is another object than the one of its name.`,
    "Nothing was published. Restore it from the bucket's versions, or move it away; verify shows more.",
  );
