import { createHash } from "node:crypto";
import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type LargeFile, largeFileName } from "../lfs/pointer.ts";
import { StoreError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import { inParallel } from "../lib/parallel.ts";
import { writeAtomically } from "../stores/files.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { CompleteMirrorStep } from "./record.ts";

/** The large files of a mirror, by what its records say. */
export interface NamedFiles {
  /** Takes the records one after the other, all of the chain: a file may have come after the step that needs it. */
  add(record: Pick<CompleteMirrorStep, "number" | "lfs" | "lfsMissing">): void;
  /** Returns the files that a step or one before it needs, as far as the mirror has them. */
  upTo(step: number): LargeFile[];
}

export function namedFiles(): NamedFiles {
  const needed = new Map<string, number>();
  const stored = new Map<string, LargeFile>();
  return {
    add({ number, lfs = [], lfsMissing = [] }) {
      for (const { oid } of [...lfs, ...lfsMissing]) if (!needed.has(oid)) needed.set(oid, number);
      for (const file of lfs) stored.set(file.oid, file);
    },
    upTo: (step) => [...stored.values()].filter(({ oid }) => (needed.get(oid) ?? 0) <= step),
  };
}

export interface RestoreOptions {
  /** Stops it. What is there by then is not fetched again the next time. */
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

const filesAtOnce = 4;

/** Copies large files into a bare repository, where git-lfs finds them. Those that are there stay. @throws StoreError */
export async function restoreFiles(
  objects: ObjectStore,
  folder: string,
  files: readonly LargeFile[],
  { signal, onProgress }: RestoreOptions,
): Promise<void> {
  let restored = 0;
  const failures: unknown[] = [];
  await inParallel(files, filesAtOnce, async (file) => {
    const name = largeFileName(file);
    const path = join(folder, name);
    const there = await stat(path).catch(() => undefined);
    try {
      if (there?.size !== file.bytes)
        await writeAtomically(`${path}.part`, checked(objects, file, signal), path, rename);
      onProgress(`Restored ${++restored} of ${files.length} large files`);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  });
  // After all others: one that is damaged or missing keeps none of them back.
  if (failures.length > 0) throw failures[0];
}

async function* checked(
  objects: ObjectStore,
  file: LargeFile,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const name = largeFileName(file);
  const hash = createHash("sha256");
  for await (const chunk of letTimersRun(objects.read(name))) {
    signal.throwIfAborted();
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") !== file.oid) throw damaged(objects.address(name));
}

const damaged = (address: string) =>
  new StoreError(
    "mirror-damaged",
    `${address} is not what its record says.`,
    "Restore it from the bucket's versions; verify shows more.",
  );
