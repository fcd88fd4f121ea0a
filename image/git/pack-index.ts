import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

const headerBytes = 8;
const fanoutBytes = 256 * 4;
const idBytes = 20;
const namesAt = headerBytes + fanoutBytes;
const version2 = Buffer.from("ff744f6300000002", "hex");

/** The index of a pack, in version 2: https://git-scm.com/docs/gitformat-pack */
export interface PackIndex {
  readonly count: number;
  /** The hash at the pack's end, which names the pack. */
  readonly packHash: string;
  has(id: string): boolean;
  /** Returns where an object begins in the pack, in bytes. */
  offsetOf(id: string): number | undefined;
  /** The ids of all objects, in ascending order. */
  ids(): Generator<string>;
}

/** Streams the ids of all objects in a pack, in ascending order, from its index. */
export async function* readPackIds(path: string): AsyncGenerator<string> {
  yield* openIndex(await readFile(path)).ids();
}

/** Opens an index of this computer's git. */
export function openIndex(index: Buffer): PackIndex {
  const count = index.readUInt32BE(namesAt - 4);
  const idAt = (place: number) => namesAt + place * idBytes;
  // One for all look-ups: a buffer for each would be most of the memory.
  const wanted = Buffer.alloc(idBytes);
  /** Returns an object's place in the order of the ids. */
  const find = (id: string): number | undefined => {
    wanted.write(id, "hex");
    const first = wanted[0] ?? 0;
    let low = first === 0 ? 0 : index.readUInt32BE(headerBytes + 4 * (first - 1));
    let high = index.readUInt32BE(headerBytes + 4 * first);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = index.compare(wanted, 0, idBytes, idAt(middle), idAt(middle + 1));
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  };
  return {
    count,
    packHash: index.toString("hex", index.length - 2 * idBytes, index.length - idBytes),
    has: (id) => find(id) !== undefined,
    offsetOf(id) {
      const place = find(id);
      if (place === undefined) return undefined;
      // After the ids: a checksum each, an offset each, and the offsets that need 8 bytes.
      const offsetsAt = idAt(count) + 4 * count;
      const offset = index.readUInt32BE(offsetsAt + 4 * place);
      if (offset < 2 ** 31) return offset;
      return Number(index.readBigUInt64BE(offsetsAt + 4 * count + 8 * (offset - 2 ** 31)));
    },
    *ids() {
      for (let place = 0; place < count; place++) yield index.toString("hex", idAt(place), idAt(place + 1));
    },
  };
}

/** Opens an index that was stored elsewhere. Undefined where it is no index of a pack, or was changed. */
export function openStoredIndex(index: Buffer): PackIndex | undefined {
  if (index.length < namesAt + 2 * idBytes || !index.subarray(0, headerBytes).equals(version2))
    return undefined;
  const end = index.length - idBytes;
  const hash = createHash("sha1").update(index.subarray(0, end)).digest();
  return hash.equals(index.subarray(end)) ? openIndex(index) : undefined;
}
