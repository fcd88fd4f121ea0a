import { mkdtempSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LimitError } from "../lib/errors.ts";
import { isGone, processName } from "../lib/process-name.ts";
import { removeFolder } from "../lib/remove.ts";

export interface ScratchFolder extends AsyncDisposable {
  readonly path: string;
}

/** Removes the folders of processes of this computer that were killed. */
export async function removeAbandonedFolders(): Promise<void> {
  const folder = resolve(tmpdir());
  for (const name of await readdir(folder).catch(() => [])) {
    const [, owner] = /^git-diff-(.+-\d+)-[^-]+$/.exec(name) ?? [];
    if (owner !== undefined && isGone(owner)) await removeFolder(join(folder, name)).catch(() => {});
  }
}

/** Makes a folder below TMPDIR, which is deleted at the end. @throws LimitError if TMPDIR cannot be written */
export async function makeScratchFolder(): Promise<ScratchFolder> {
  try {
    const path = mkdtempSync(join(resolve(tmpdir()), `git-diff-${processName()}-`));
    return { path, [Symbol.asyncDispose]: () => removeFolder(path) };
  } catch (error) {
    throw new LimitError(
      "scratch-unwritable",
      `git has no folder to work in: ${(error as Error).message}.`,
      "Set TMPDIR to a folder that exists and can be written.",
      { cause: error },
    );
  }
}
