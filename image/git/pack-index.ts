import { readFile } from "node:fs/promises";

const headerBytes = 8;
const fanoutBytes = 256 * 4;
const idBytes = 20;

/**
 * Streams the ids of all objects in a pack, in ascending order, from its index of version 2.
 * Source: https://git-scm.com/docs/gitformat-pack
 */
export async function* readPackIds(path: string): AsyncGenerator<string> {
  const index = await readFile(path);
  const count = index.readUInt32BE(headerBytes + fanoutBytes - 4);
  const start = headerBytes + fanoutBytes;
  for (let at = start; at < start + count * idBytes; at += idBytes) {
    yield index.toString("hex", at, at + idBytes);
  }
}
