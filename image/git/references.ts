import { LimitError } from "../lib/errors.ts";
import type { ObjectReader } from "./objects.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

/** Larger trees, commits and tags exist only to do harm: each is read as a whole. */
const largestObject = 64 * 1024 * 1024;
const idBytes = 20;

/** After so many bytes, their memory is freed. Bun alone would let it grow. */
const bytesBetweenCollections = 4 * 1024 * 1024;

/** Streams the ids that the commits, trees and tags of a scratch repository name, often more than once. @throws GitError */
export async function* references(scratch: ScratchRepository, objects: ObjectReader): AsyncGenerator<string> {
  let unfreed = 0;
  for await (const ids of listNaming(scratch)) {
    for await (const { type, content, bytes, id } of objects.contents(ids)) {
      if (bytes > largestObject) throw tooLarge(type, id);
      const chunks: Buffer[] = [];
      for await (const chunk of content) chunks.push(Buffer.from(chunk));
      yield* namedIn(type, Buffer.concat(chunks));
      unfreed += bytes;
      if (unfreed < bytesBetweenCollections) continue;
      unfreed = 0;
      Bun.gc(true);
    }
  }
}

/** Lists the commits, trees and tags, in portions. */
async function* listNaming(scratch: ScratchRepository): AsyncGenerator<string[]> {
  const format = "--batch-check=%(objecttype) %(objectname)";
  const listed = scratch.stream(["cat-file", "--batch-all-objects", "--unordered", "--buffer", format]);
  let rest = "";
  for await (const chunk of listed) {
    const text = rest + Buffer.from(chunk).toString("latin1");
    rest = text.slice(text.lastIndexOf("\n") + 1);
    // No string for each blob: most objects are blobs.
    yield [...text.matchAll(/^(?:commit|tree|tag) ([0-9a-f]{40})\n/gm)].map(([, id = ""]) => id);
  }
}

/** The ids in an object: https://git-scm.com/docs/gitformat-pack, https://git-scm.com/docs/git-mktag */
function* namedIn(type: string, content: Buffer): Generator<string> {
  if (type === "tree") return yield* namedInTree(content);
  const end = content.indexOf("\n\n");
  const header = content.toString("latin1", 0, end < 0 ? content.length : end);
  // Continuation lines begin with a blank, so that a signature cannot pose as one of these.
  for (const [, id = ""] of header.matchAll(/^(?:tree|parent|object) ([0-9a-f]{40})$/gm)) yield id;
}

function* namedInTree(content: Buffer): Generator<string> {
  for (let at = 0; at < content.length; ) {
    const name = content.indexOf(0, at);
    if (name < 0) return;
    const mode = content.toString("latin1", at, content.indexOf(" ", at));
    // A submodule's commit is in another repository.
    if (mode !== "160000") yield content.toString("hex", name + 1, name + 1 + idBytes);
    at = name + 1 + idBytes;
  }
}

const tooLarge = (type: string, id: string) =>
  new LimitError(
    "object-too-large",
    `The ${type} ${id} has more than ${largestObject} bytes.`,
    "Have the host's repository cleaned; no ordinary repository has such an object.",
  );
