import { StoreError } from "../lib/errors.ts";

/** One file of a tar archive. */
export interface TarEntry {
  readonly name: string;
  readonly bytes: number;
  /** To be read before the next entry. What is left of it is skipped. */
  readonly body: AsyncIterable<Uint8Array>;
}

const blockBytes = 512;

/** Larger sizes do not fit into eleven octal digits. GNU tar and libarchive write and read them as binary numbers. */
const largestOctal = 8 ** 11 - 1;

/**
 * Returns the header of an ordinary file, without owner and time: the same files make the same archive.
 * Source: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html (ustar)
 * @param name ASCII, at most 100 characters
 */
export function tarHeader(name: string, bytes: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 100, "latin1");
  header.write("0000644\x000000000\x000000000\0", 100, "latin1");
  if (bytes <= largestOctal) header.write(bytes.toString(8).padStart(11, "0"), 124, "latin1");
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(bytes), 128);
  }
  header.write("00000000000\0        0", 136, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** Returns the zeros that follow a file's content. */
export const tarPadding = (bytes: number): Buffer =>
  Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);

/** Two empty blocks end an archive. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

/**
 * Reads an archive that consists of `tarHeader`, content and `tarPadding` for each file, and of `tarEnd`. Any other kind of
 * header, and any other byte between the files, is an error: there are no links, no folders and no extensions.
 * @throws StoreError
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, void> {
  const input = openInput(source);
  for (let before = "the beginning"; ; ) {
    const header = await input.exactly(blockBytes, before);
    if (isZero(header)) break;
    const { name, bytes } = parseHeader(header, before);
    let left = bytes;
    async function* read() {
      while (left > 0) {
        const chunk = await input.atMost(left);
        if (chunk === undefined) throw cut(`in the middle of ${name}`);
        left -= chunk.length;
        yield chunk;
      }
    }
    yield { name, bytes, body: read() };
    for await (const _ of read());
    before = name;
    if (!isZero(await input.exactly(tarPadding(bytes).length, before))) throw disturbed(before);
  }
  if (!isZero(await input.exactly(blockBytes, "the last file"))) throw disturbed("the last file");
  // Programs may fill an archive up to the size of a tape's record.
  for (let rest = await input.atMost(blockBytes); rest; rest = await input.atMost(blockBytes))
    if (!isZero(rest)) throw disturbed("the end");
}

function parseHeader(header: Buffer, before: string): { name: string; bytes: number } {
  const [name = ""] = header.toString("latin1", 0, 100).split("\0");
  const bytes = header[124]
    ? header[124] === 0x80
      ? Number(header.readBigUInt64BE(128))
      : Number.parseInt(header.toString("latin1", 124, 135), 8)
    : Number.NaN;
  if (Number.isSafeInteger(bytes) && tarHeader(name, bytes).equals(header)) return { name, bytes };
  throw disturbed(before);
}

/** Reads from chunks of any size. */
function openInput(source: AsyncIterable<Uint8Array>) {
  const chunks = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  /** Undefined at the end. */
  const atMost = async (bytes: number): Promise<Buffer | undefined> => {
    while (rest.length === 0) {
      const next = await chunks.next();
      if (next.done) return undefined;
      rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    const chunk = rest.subarray(0, bytes);
    rest = rest.subarray(bytes);
    return chunk;
  };
  const exactly = async (bytes: number, before: string): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let left = bytes; left > 0; ) {
      const part = await atMost(left);
      if (part === undefined) throw cut(`after ${before}`);
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  };
  return { atMost, exactly };
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

const cut = (where: string) =>
  new StoreError("delta-cut", `The delta ends ${where}: a part of it is missing.`, carryAgain);

const disturbed = (before: string) =>
  new StoreError(
    "delta-altered",
    `After ${before}, the delta contains something that no export writes: it was changed, or is no delta.`,
    carryAgain,
  );

/** The remedy for a delta that did not arrive as it was exported. */
export const carryAgain =
  "No step of it was imported. Carry it over once more; if that does not help, export it again.";
