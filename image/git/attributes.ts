import { mkdir, open } from "node:fs/promises";
import { emptyTree } from "../lib/object-id.ts";
import { streamChanges } from "./changes.ts";
import type { ObjectReader } from "./objects.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

const attributeFiles = ":(top,glob)**/.gitattributes";

/** One `.gitattributes` file. */
export interface AttributesFile {
  readonly id: string;
  /** In latin1, one character for each byte. */
  readonly path: string;
}

/** Returns every `.gitattributes` file in a commit's tree that a checkout has and git reads. */
export async function findAttributes(scratch: ScratchRepository, commit: string): Promise<AttributesFile[]> {
  const found: AttributesFile[] = [];
  const options = { paths: [attributeFiles] };
  for await (const { modeAfter, idAfter: id, path } of streamChanges(scratch, emptyTree, commit, options)) {
    // git reads attributes from regular files only, and never from a link or a submodule of that name.
    if (modeAfter.startsWith("100") && isCheckedOut(path)) found.push({ id, path });
  }
  return found;
}

/**
 * Returns whether a checkout creates a file of this path. Not below a folder that is called like git's own, which git
 * refuses, nor with a name that no file system takes.
 */
const isCheckedOut = (path: string): boolean =>
  path.split("/").every((part) => part.length <= 255 && !/^(\.git|git~1)[ .]*(:.*)?$/i.test(part));

/**
 * Writes `.gitattributes` files, and nothing else, into the work tree. `git diff` reads them there: it ignores them in a
 * bare repository, and older git versions have no `--attr-source`.
 */
export async function writeAttributes(
  { worktree }: ScratchRepository,
  objects: ObjectReader,
  files: readonly AttributesFile[],
): Promise<void> {
  for (const { id, path } of files) {
    const full = Buffer.concat([Buffer.from(`${worktree}/`), Buffer.from(path, "latin1")]);
    await mkdir(full.subarray(0, full.lastIndexOf("/")), { recursive: true });
    const file = await open(full, "w");
    try {
      for await (const chunk of objects.content(id)) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
  }
}
