import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { GitError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { streamChanges } from "./changes.ts";
import type { ObjectReader } from "./objects.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

const attributeFiles = ":(top,glob)**/.gitattributes";

/** The names of people, for tables: https://git-scm.com/docs/gitmailmap */
export const mailmapName = ".mailmap";

/** One `.gitattributes` file, or another one that is read beside them. */
export interface AttributesFile {
  readonly id: string;
  /** In latin1, one character for each byte. */
  readonly path: string;
}

/** Returns every `.gitattributes` file in a commit's tree that a checkout has and git reads. @param also names files at its top */
export async function findAttributes(
  scratch: ScratchRepository,
  commit: string,
  also: readonly string[] = [],
): Promise<AttributesFile[]> {
  const found: AttributesFile[] = [];
  const options = { paths: [attributeFiles, ...also.map((name) => `:(top,literal)${name}`)] };
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
  const ids = files.map(({ id }) => id);
  if ((await objects.info(ids)).length < ids.length) throw incomplete();
  const paths = files.values();
  for await (const { content } of objects.contents(ids)) {
    const path = Buffer.from(paths.next().value?.path ?? "", "latin1");
    const full = Buffer.concat([Buffer.from(`${worktree}/`), path]);
    // Few and small. The event loop would take longer than the disk.
    mkdirSync(full.subarray(0, full.lastIndexOf("/")), { recursive: true });
    const file = openSync(full, "w");
    try {
      for await (const chunk of content) writeFileSync(file, chunk);
    } finally {
      closeSync(file);
    }
  }
}

const incomplete = () =>
  new GitError(
    "host-damaged",
    "The host did not send a .gitattributes file that the diff needs.",
    "Have the host's repository repaired (git fsck shows what is missing).",
  );
