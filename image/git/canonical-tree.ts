import { Readable } from "node:stream";
import { emptyTree } from "../lib/object-id.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

const modes: ReadonlySet<string> = new Set(["100644", "100755", "120000", "160000", "40000"]);
const [space, nul, newline] = [" ", "\0", "\n"].map((character) => character.charCodeAt(0)) as [
  number,
  number,
  number,
];
const idBytes = 20;

/**
 * Returns the id that a tree has once git writes it anew, if that is another one. Old trees contain modes such as 100664
 * or 040000, and entries for empty folders. git reads them, and never writes them. @throws GitError
 */
export async function canonicalTree(scratch: ScratchRepository, tree: string): Promise<string | undefined> {
  if (!(await isOdd(scratch, tree))) return undefined;
  const environment = { GIT_INDEX_FILE: "canonical-index" };
  const input = Readable.from(scratch.stream(["ls-tree", "-r", "-z", tree]));
  await scratch.run(["update-index", "-z", "--index-info"], { input, environment });
  const written = (await scratch.run(["write-tree", "--missing-ok"], { environment })).trim();
  return written === tree ? undefined : written;
}

/** Returns whether a tree, or one of the folders in it, has an entry that git would not write. */
async function isOdd(scratch: ScratchRepository, root: string): Promise<boolean> {
  // Submodules are among them.
  const listed = await scratch.run(["ls-tree", "-r", "-d", "--format=%(objecttype) %(objectname)", root]);
  const ids = new Set([root, ...[...listed.matchAll(/^tree (.+)$/gm)].map(([, id = ""]) => id)]);
  if (ids.has(emptyTree) && root !== emptyTree) return true;
  const input = [...ids, ""].join("\n");
  let rest: Buffer = Buffer.alloc(0);
  // Each object comes as `id type size`, its content, and a newline.
  for await (const chunk of scratch.stream(["cat-file", "--batch", "--buffer"], { input })) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    for (let headEnd = rest.indexOf(newline); headEnd >= 0; headEnd = rest.indexOf(newline)) {
      const size = Number(rest.toString("latin1", 0, headEnd).split(" ")[2]);
      if (Number.isNaN(size))
        throw new Error(`git cat-file lacks a tree: ${rest.toString("latin1", 0, headEnd)}`);
      const end = headEnd + 1 + size;
      if (rest.length <= end) break;
      if (hasOddMode(rest.subarray(headEnd + 1, end))) return true;
      rest = rest.subarray(end + 1);
    }
  }
  return false;
}

function hasOddMode(tree: Buffer): boolean {
  for (let at = 0; at < tree.length; at = tree.indexOf(nul, at) + 1 + idBytes) {
    if (!modes.has(tree.toString("latin1", at, tree.indexOf(space, at)))) return true;
  }
  return false;
}
