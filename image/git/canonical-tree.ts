import { Readable } from "node:stream";
import { idSet } from "../lib/id-set.ts";
import { emptyTree } from "../lib/object-id.ts";
import { openObjectReader } from "./objects.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

const modes: ReadonlySet<string> = new Set(["100644", "100755", "120000", "160000", "40000"]);
const [space, nul] = [" ", "\0"].map((character) => character.charCodeAt(0)) as [number, number];
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
  const ids = idSet();
  ids.add(root);
  let rest = "";
  // Submodules are among them.
  const listing = scratch.stream(["ls-tree", "-r", "-d", "--format=%(objecttype) %(objectname)", root]);
  for await (const chunk of listing) {
    const lines = (rest + Buffer.from(chunk).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("tree ")) ids.add(line.slice("tree ".length));
  }
  if (root !== emptyTree && ids.has(emptyTree)) return true;
  await using objects = openObjectReader(scratch);
  let odd = false;
  for await (const { content } of objects.contents(ids.drain())) {
    const readModes = modeReader((mode) => {
      odd ||= !modes.has(mode);
    });
    for await (const chunk of content) readModes(chunk);
  }
  return odd;
}

/** Returns a function that reads a tree chunk by chunk: entries of a mode, a space, a name, a null byte, and an id. */
export function modeReader(onMode: (mode: string) => void): (chunk: Buffer) => void {
  let mode = "";
  let inName = false;
  let idLeft = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (idLeft > 0) {
        const length = Math.min(idLeft, chunk.length - at);
        idLeft -= length;
        at += length;
      } else if (inName) {
        const end = chunk.indexOf(nul, at);
        if (end < 0) return;
        [inName, idLeft, at] = [false, idBytes, end + 1];
      } else if (chunk[at] === space) {
        onMode(mode);
        [mode, inName] = ["", true];
        at++;
      } else {
        // Where the chunk ends within the mode, the next one continues it.
        const end = chunk.indexOf(space, at);
        const stop = end < 0 ? chunk.length : end;
        mode += chunk.toString("latin1", at, stop);
        at = stop;
      }
    }
  };
}
