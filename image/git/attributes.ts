import { emptyTree } from "../lib/object-id.ts";
import { streamChanges } from "./changes.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

const attributeFiles = ":(top,glob)**/.gitattributes";

/** Returns the ids of every `.gitattributes` file in a commit's tree. */
export async function findAttributes(scratch: ScratchRepository, commit: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { modeAfter, idAfter } of streamChanges(scratch, emptyTree, commit, [attributeFiles])) {
    // git reads attributes from regular files only, and never from a link or a submodule of that name.
    if (modeAfter.startsWith("100")) found.push(idAfter);
  }
  return found;
}

/**
 * Writes a commit's `.gitattributes` files, and nothing else, into the work tree. `git diff` reads them there: it
 * ignores them in a bare repository, and older git versions have no `--attr-source`.
 */
export async function checkOutAttributes(scratch: ScratchRepository, commit: string): Promise<void> {
  const { worktree } = scratch;
  await scratch.run(["checkout", "--quiet", commit, "--", attributeFiles], { worktree });
}
