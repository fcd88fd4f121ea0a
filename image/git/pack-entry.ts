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

/** What a pack says of an object before its content. */
interface Header {
  readonly number: number;
  /** Of the content, in bytes. */
  readonly size: number;
  readonly base: string | number | undefined;
  /** Where the content begins. */
  readonly end: number;
}

/** Parses the header at the beginning of these bytes. Where they are too few, it ends behind them. */
function parseHeader(bytes: Buffer): Header {
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
  return { number, size, base, end: at };
}

/**
 * Parses the entry at the beginning of these bytes of a pack. Undefined where they are too few.
 * @throws where they are no entry
 */
export function parsePackEntry(bytes: Buffer): PackEntry | undefined {
  const { number, size, base, end } = parseHeader(bytes);
  if (end >= bytes.length) return undefined;
  const type = types[number];
  if (type === undefined) throw new Error(`A pack has an entry of type ${number}.`);
  // What follows the entry is ignored, and what is missing gives less.
  const content = inflateSync(bytes.subarray(end), {
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: size + 1,
  });
  return content.length < size ? undefined : { type, content, base };
}

/** Returns how large the content of the entry at the beginning of these bytes is; 0 where they are too few. */
export function entrySize(bytes: Buffer): number {
  const { size, end } = parseHeader(bytes);
  return end >= bytes.length ? 0 : size;
}

/** Returns how large what a delta makes is. */
export function resultSize(delta: Buffer): number {
  const [, at] = readSize(delta, 0);
  return readSize(delta, at)[0];
}

/** Reads a size of a delta's header. Returns it, and where it ends. */
function readSize(delta: Buffer, start: number): [size: number, end: number] {
  let [size, at] = [0, start];
  for (let factor = 1; ; factor *= 128) {
    const byte = delta[at++] ?? 0;
    size += (byte & 127) * factor;
    if (byte < 128) return [size, at];
  }
}

/** Applies a delta to its base. @throws where its result has not the size that it says */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  let [left, at] = readSize(delta, readSize(delta, 0)[1]);
  const next = () => delta[at++] ?? 0;
  const parts: Buffer[] = [];
  const add = (part: Buffer) => {
    left -= part.length;
    parts.push(part);
  };
  while (at < delta.length && left >= 0) {
    const instruction = next();
    if (instruction & 128) {
      let [offset, size] = [0, 0];
      for (let bit = 0; bit < 4; bit++) if (instruction & (1 << bit)) offset += next() * 256 ** bit;
      for (let bit = 0; bit < 3; bit++) if (instruction & (16 << bit)) size += next() * 256 ** bit;
      add(base.subarray(offset, offset + (size || 0x10000)));
    } else {
      add(delta.subarray(at, at + instruction));
      at += instruction;
    }
  }
  if (left !== 0) throw new Error("A delta makes another size than it says.");
  return Buffer.concat(parts);
}
