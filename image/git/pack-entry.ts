import { constants, inflateSync } from "node:zlib";

/** An object in a pack, as it is stored: https://git-scm.com/docs/gitformat-pack */
export interface PackEntry {
  readonly type: "commit" | "tree" | "blob" | "tag" | "delta";
  /** The object's content, or the instructions of a delta. */
  readonly content: Buffer;
  /** Where the delta's base is: its id, or how many bytes before this one it begins. */
  readonly base: string | number | undefined;
}

const types = [undefined, "commit", "tree", "blob", "tag", undefined, "delta", "delta"] as const;
const offsetDelta = 6;
const idBytes = 20;

/**
 * Parses the entry at the beginning of these bytes of a pack. Undefined where they are too few.
 * @throws where they are no entry
 */
export function parsePackEntry(bytes: Buffer): PackEntry | undefined {
  let at = 0;
  const next = () => bytes[at++] ?? 0;
  let byte = next();
  const number = (byte >> 4) & 7;
  let size = byte & 15;
  for (let factor = 16; byte & 128; factor *= 128) {
    byte = next();
    size += (byte & 127) * factor;
  }
  const type = types[number];
  let base: string | number | undefined;
  if (number === offsetDelta) {
    byte = next();
    base = byte & 127;
    while (byte & 128) {
      byte = next();
      base = (base + 1) * 128 + (byte & 127);
    }
  } else if (type === "delta") {
    base = bytes.toString("hex", at, at + idBytes);
    at += idBytes;
  }
  if (at >= bytes.length) return undefined;
  if (type === undefined) throw new Error(`A pack has an entry of type ${number}.`);
  // What follows the entry is ignored, and what is missing gives less.
  const content = inflateSync(bytes.subarray(at), { finishFlush: constants.Z_SYNC_FLUSH });
  return content.length < size ? undefined : { type, content, base };
}

/** Applies a delta to its base. */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const next = () => delta[at++] ?? 0;
  const skipSize = () => {
    while (next() & 128);
  };
  skipSize();
  skipSize();
  const parts: Buffer[] = [];
  while (at < delta.length) {
    const instruction = next();
    if (instruction & 128) {
      let [offset, size] = [0, 0];
      for (let bit = 0; bit < 4; bit++) if (instruction & (1 << bit)) offset += next() * 256 ** bit;
      for (let bit = 0; bit < 3; bit++) if (instruction & (16 << bit)) size += next() * 256 ** bit;
      parts.push(base.subarray(offset, offset + (size || 0x10000)));
    } else {
      parts.push(delta.subarray(at, at + instruction));
      at += instruction;
    }
  }
  return Buffer.concat(parts);
}
