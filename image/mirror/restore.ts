import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LimitError, StoreError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type FoundStep, findStep, type Moment } from "./find-step.ts";
import { type RestoreOptions, restoreFiles } from "./restore-lfs.ts";
import { headFile, type State } from "./state.ts";

const packsAtOnce = 4;
/** A file that tells a folder that may be restored to again from anybody's repository. */
const marker = "restored";
const markerText = "Made by restore, which replaces the refs in this folder.\n";

/**
 * Makes a bare repository of a mirror's state in a folder, or brings one that it made up to date.
 * @param names receives the name of each ref that any step has changed
 * @returns the step whose state it is
 * @throws StoreError, LimitError, or the signal's reason
 */
export async function restore(
  objects: ObjectStore,
  folder: string,
  moment: Moment,
  { signal, onProgress }: RestoreOptions,
  names?: Set<string>,
): Promise<FoundStep> {
  const found = await findStep(objects, moment, names);
  if (found === undefined) throw noStep(objects, moment);
  signal.throwIfAborted();
  await prepare(folder);
  const { packs: wanted } = found.record;
  let restored = 0;
  await inParallel(wanted, packsAtOnce, async (name) => {
    const pack = found.packs.get(name);
    if (pack === undefined) throw damaged(objects.address(`objects/pack/${name}.pack`), "is in no record");
    await fetchFile(objects, `${name}.pack`, pack.sha256, folder, signal);
    await fetchFile(objects, `${name}.idx`, pack.indexSha256, folder, signal);
    onProgress(`Restored ${++restored} of ${wanted.length} packs`);
  });
  // The refs last: whatever they lead to is there.
  await replaceFile(join(folder, "packed-refs"), packedRefs(found.state));
  await removeLooseRefs(join(folder, "refs"));
  await replaceFile(join(folder, "HEAD"), headFile(found.state));
  // A large file that is damaged keeps nothing else back.
  await restoreFiles(objects, folder, found.files, { signal, onProgress });
  return found;
}

/** Makes the folders and files of a bare repository, or checks that they are there. */
async function prepare(folder: string): Promise<void> {
  const content = existsSync(folder) ? await readdir(folder) : [];
  const isMarked = content.includes(marker) && (await readMarker(folder)) === markerText;
  if (content.length > 0 && !isMarked) {
    throw new LimitError(
      "folder-taken",
      `${folder} is no empty folder, and nothing that was restored.`,
      "Give a folder that is empty or does not exist, or one that was restored before.",
    );
  }
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, marker), markerText);
  await mkdir(join(folder, "objects", "pack"), { recursive: true });
  await mkdir(join(folder, "refs"), { recursive: true });
  await writeFile(join(folder, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n");
}

/** Anybody may have a file or a folder of the marker's name. */
const readMarker = (folder: string): Promise<string | undefined> =>
  readFile(join(folder, marker), "utf8").catch(() => undefined);

async function fetchFile(
  objects: ObjectStore,
  file: string,
  sha256: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const path = join(folder, "objects", "pack", file);
  if (existsSync(path)) return;
  const hash = createHash("sha256");
  async function* hashed() {
    for await (const chunk of letTimersRun(objects.read(`objects/pack/${file}`))) {
      signal.throwIfAborted();
      hash.update(chunk);
      yield chunk;
    }
  }
  const temporary = `${path}.part`;
  try {
    await writeFile(temporary, hashed());
    if (hash.digest("hex") !== sha256)
      throw damaged(objects.address(`objects/pack/${file}`), "is not what its record says");
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Removes the refs that git has made in this folder, such as for a push or a branch in a worktree: each is a file, and hides
 * the one of its name in packed-refs. The folder itself stays: without it, git sees no repository.
 */
async function removeLooseRefs(refs: string): Promise<void> {
  for (const name of await readdir(refs)) await rm(join(refs, name), { recursive: true, force: true });
}

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}

/** https://git-scm.com/docs/git-pack-refs; git reads its peeled ids. */
const packedRefs = ({ refs }: State): string =>
  `# pack-refs with: peeled fully-peeled sorted \n${refs
    .map(({ name, id, peeled }) => `${id} ${name}\n${peeled ? `^${peeled}\n` : ""}`)
    .join("")}`;

/** The error of a place without the step that is wanted. */
export const noStep = (objects: ObjectStore, { step, at }: Moment) =>
  new StoreError(
    "step-missing",
    `${objects.address("")} has no mirror's step${step === undefined ? "" : ` ${step}`}${at ? ` that had ended at ${at.toISOString()}` : ""}.`,
    "Give the place of a mirror, and a time or a step that it has.",
  );

const damaged = (address: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${address} ${problem}.`,
    "Restore it from the bucket's versions; verify shows more.",
  );
