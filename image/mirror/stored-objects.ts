import { applyDelta, type PackEntry, parsePackEntry } from "../git/pack-entry.ts";
import type { PackIndex } from "../git/pack-index.ts";
import type { ObjectStore } from "../stores/stores.ts";

export interface StoredObject {
  readonly type: PackEntry["type"];
  readonly content: Buffer;
}

/** Git keeps commits side by side, so that one request reads many. */
const windowBytes = 64 * 1024;
const windowsKept = 64;
const longestChain = 5_000;
const largestObject = 64 * 1024 * 1024;

/**
 * Returns a function that reads an object of a mirror's packs, by their indexes and parts of the packs. It returns undefined
 * for an object that is not there, or is larger than 64 MiB. @throws StoreError
 */
export function storedObjects(
  objects: ObjectStore,
  packs: readonly { readonly name: string; readonly index: PackIndex }[],
): (id: string) => Promise<StoredObject | undefined> {
  const windows = new Map<string, Buffer>();
  const windowOf = async (pack: string, number: number): Promise<Buffer> => {
    const key = `${pack} ${number}`;
    const part = { start: number * windowBytes, length: windowBytes };
    const found =
      windows.get(key) ??
      Buffer.concat(await Array.fromAsync(objects.read(`objects/pack/${pack}.pack`, part)));
    windows.delete(key);
    windows.set(key, found);
    if (windows.size > windowsKept) for (const [oldest] of windows) if (windows.delete(oldest)) break;
    return found;
  };
  const entryAt = async (pack: string, offset: number): Promise<PackEntry | undefined> => {
    const first = Math.floor(offset / windowBytes);
    let bytes: Buffer = Buffer.alloc(0);
    for (let number = first; bytes.length < largestObject; number++) {
      const window = await windowOf(pack, number);
      bytes = Buffer.concat([bytes, number === first ? window.subarray(offset % windowBytes) : window]);
      const entry = parsePackEntry(bytes);
      if (entry || window.length < windowBytes) return entry;
    }
    return undefined;
  };
  const objectAt = async (
    pack: string,
    index: PackIndex,
    offset: number,
    depth = 0,
  ): Promise<StoredObject | undefined> => {
    if (depth > longestChain) return undefined;
    const entry = await entryAt(pack, offset);
    if (entry?.base === undefined) return entry;
    const baseAt = typeof entry.base === "number" ? offset - entry.base : index.offsetOf(entry.base);
    const base = baseAt === undefined ? undefined : await objectAt(pack, index, baseAt, depth + 1);
    return base && { type: base.type, content: applyDelta(base.content, entry.content) };
  };
  return async (id) => {
    for (const { name, index } of packs) {
      const offset = index.offsetOf(id);
      if (offset !== undefined) return objectAt(name, index, offset);
    }
    return undefined;
  };
}
