import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LimitError } from "../lib/errors.ts";

export interface ScratchFolder extends AsyncDisposable {
  readonly path: string;
}

/** Makes a folder below TMPDIR, which is deleted at the end. @throws LimitError if TMPDIR cannot be written */
export async function makeScratchFolder(): Promise<ScratchFolder> {
  try {
    const path = await mkdtemp(join(resolve(tmpdir()), "git-diff-"));
    const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
    return { path, [Symbol.asyncDispose]: remove };
  } catch (error) {
    throw new LimitError(
      "scratch-unwritable",
      `git has no folder to work in: ${(error as Error).message}.`,
      "Set TMPDIR to a folder that exists and can be written.",
      { cause: error },
    );
  }
}
