import { applyDelta, entrySize, type PackEntry, parsePackEntry, resultSize } from "../git/pack-entry.ts";
import type { PackIndex } from "../git/pack-index.ts";
import type { ByteRange, ObjectStore } from "../stores/stores.ts";

export interface StoredObject {
  readonly type: PackEntry["type"];
  readonly content: Buffer;
}

/** Git keeps commits side by side, so that one request reads many. */
const windowBytes = 64 * 1024;
const windowsKept = 64;
const longestChain = 5_000;
/** Larger ones are read as a whole pack alone. */
export const largestObject = 64 * 1024 * 1024;

/**
 * Returns a function that reads an object of a mirror's packs, by their indexes and parts of the packs. It returns undefined
 * for an object that is not there, or is larger than 64 MiB. @throws StoreError
 */
export function storedObjects(
  objects: ObjectStore,
  packs: readonly { readonly name: string; readonly index: PackIndex }[],
): (id: string) => Promise<StoredObject | undefined> {
  const windows = new Map<string, Buffer>();
  const read = async (pack: string, part: ByteRange): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(objects.read(`objects/pack/${pack}.pack`, part)));
  const windowOf = async (pack: string, number: number): Promise<Buffer> => {
    const key = `${pack} ${number}`;
    const part = { start: number * windowBytes, length: windowBytes };
    const found = windows.get(key) ?? (await read(pack, part));
    windows.delete(key);
    windows.set(key, found);
    if (windows.size > windowsKept) for (const [oldest] of windows) if (windows.delete(oldest)) break;
    return found;
  };
  const entryAt = async (pack: string, offset: number): Promise<PackEntry | undefined> => {
    const first = Math.floor(offset / windowBytes);
    const window = await windowOf(pack, first);
    let bytes = window.subarray(offset % windowBytes);
    for (let isWhole = window.length < windowBytes; ; ) {
      if (entrySize(bytes) > largestObject) return undefined;
      const entry = parsePackEntry(bytes);
      if (entry || isWhole) return entry;
      // Then each time as much again, so that an entry of many windows is not inflated many times.
      const length = Math.max(bytes.length, windowBytes);
      const more =
        bytes.length < windowBytes
          ? await windowOf(pack, first + 1)
          : await read(pack, { start: offset + bytes.length, length });
      isWhole = more.length < length;
      bytes = Buffer.concat([bytes, more]);
    }
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
    if (resultSize(entry.content) > largestObject) return undefined;
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
