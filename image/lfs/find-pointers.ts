import { openObjectReader } from "../git/objects.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { fewestBytes, type LargeFile, mostBytes, parsePointer } from "./pointer.ts";

/** Returns the large files to which blobs of a scratch repository point, each once. Reads small blobs alone. @throws GitError */
export async function findPointers(scratch: ScratchRepository): Promise<LargeFile[]> {
  const found = new Map<string, LargeFile>();
  await using objects = openObjectReader(scratch);
  for await (const ids of listSmallBlobs(scratch)) {
    for await (const { content } of objects.contents(ids)) {
      const chunks: Buffer[] = [];
      for await (const chunk of content) chunks.push(Buffer.from(chunk));
      const file = parsePointer(Buffer.concat(chunks).toString("latin1"));
      if (file) found.set(`${file.oid} ${file.bytes}`, file);
    }
  }
  return [...found.values()];
}

/** Each has some 64 KiB. */
const portionsBetweenCollections = 200;

/** Lists the blobs that can be pointers, in portions. */
async function* listSmallBlobs(scratch: ScratchRepository): AsyncGenerator<string[]> {
  const format = "--batch-check=%(objectname) %(objecttype) %(objectsize)";
  const listed = scratch.stream(["cat-file", "--batch-all-objects", "--unordered", "--buffer", format]);
  let rest = "";
  let portions = 0;
  for await (const chunk of listed) {
    // Bun alone would let the memory of the portions before grow.
    if (++portions % portionsBetweenCollections === 0) Bun.gc(true);
    const lines = (rest + Buffer.from(chunk).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    yield lines.flatMap((line) => {
      const [id = "", type, size] = line.split(" ");
      return type === "blob" && Number(size) >= fewestBytes && Number(size) <= mostBytes ? [id] : [];
    });
  }
}
