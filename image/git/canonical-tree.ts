import { Readable } from "node:stream";
import { emptyTree } from "../lib/object-id.ts";
import type { ObjectReader } from "./objects.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

const modes: ReadonlySet<string> = new Set(["100644", "100755", "120000", "160000", "40000"]);
const [space, nul] = [" ", "\0"].map((character) => character.charCodeAt(0)) as [number, number];
const idBytes = 20;

/**
 * Returns the id that a tree has once git writes it anew, if that is another one. Old trees contain modes such as 100664
 * or 040000, and entries for empty folders. git reads them, and never writes them. @throws GitError
 */
export async function canonicalTree(
  scratch: ScratchRepository,
  objects: ObjectReader,
  tree: string,
): Promise<string | undefined> {
  if (!(await isOdd(objects, tree))) return undefined;
  const environment = { GIT_INDEX_FILE: "canonical-index" };
  const input = Readable.from(scratch.stream(["ls-tree", "-r", "-z", tree]));
  await scratch.run(["update-index", "-z", "--index-info"], { input, environment });
  const written = (await scratch.run(["write-tree", "--missing-ok"], { environment })).trim();
  return written === tree ? undefined : written;
}

/** Returns whether a tree, or one of the folders in it, has an entry that git would not write. */
async function isOdd(objects: ObjectReader, root: string): Promise<boolean> {
  const seen = new Set([root]);
  // A set grows while it is iterated over, so this visits every folder once.
  for (const tree of seen) {
    const content = Buffer.concat(await Array.fromAsync(objects.content(tree)));
    for (let at = 0; at < content.length; ) {
      const nameEnd = content.indexOf(nul, at);
      const mode = content.toString("latin1", at, content.indexOf(space, at));
      at = nameEnd + 1 + idBytes;
      if (!modes.has(mode)) return true;
      if (mode !== "40000") continue;
      const id = content.toString("hex", nameEnd + 1, at);
      if (id === emptyTree) return true;
      seen.add(id);
    }
  }
  return false;
}
