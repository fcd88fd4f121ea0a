import { readRecordBy } from "../chain/record-store.ts";
import { fetchLargeFiles } from "../lfs/fetch-large-files.ts";
import type { LargeFile } from "../lfs/pointer.ts";
import { GitError } from "../lib/errors.ts";
import type { MirrorContext } from "./context.ts";
import type { MirrorCursor } from "./published.ts";
import { type CompleteMirrorStep, parseMirrorRecord } from "./record.ts";

/** The large files that cannot be had in this run, by their SHA-256, and why. */
export type Lacking = Map<string, string>;

/**
 * Asks for the large files that are missing after the published step, each once in a run.
 * @param lacking receives those that cannot be had
 * @returns those that are stored now
 * @throws StoreError, or the signal's reason
 */
export async function fetchMissing(
  { objects, largeFiles, signal, onProgress }: MirrorContext,
  { number, lacksFiles }: MirrorCursor,
  lacking: Lacking,
): Promise<readonly LargeFile[]> {
  if (!lacksFiles || largeFiles === undefined) return [];
  const { record } = (await readRecordBy(parseMirrorRecord, objects, number)) ?? {};
  if (record?.state !== "complete") return [];
  const wanted = (record.lfsMissing ?? []).filter(({ oid }) => !lacking.has(oid));
  const { stored, reasons } = await fetchLargeFiles(largeFiles, objects, wanted, signal, onProgress);
  for (const [oid, reason] of reasons) lacking.set(oid, reason);
  return stored;
}

/** Returns what a step's record says about large files. */
export function filesOf(
  found: readonly LargeFile[],
  ...missing: readonly LargeFile[]
): Pick<CompleteMirrorStep, "lfs" | "lfsMissing"> {
  const stored = new Set(found.map(({ oid }) => oid));
  const left = missing.filter(({ oid }) => !stored.has(oid));
  const lfsMissing = [...new Map(left.map((file) => [`${file.oid} ${file.bytes}`, file])).values()];
  return { ...(found.length > 0 && { lfs: [...found] }), ...(lfsMissing.length > 0 && { lfsMissing }) };
}

const namesShown = 5;

export function filesMissing(lacking: Lacking): GitError {
  const [[, reason] = ["", ""]] = lacking;
  const names = [...lacking.keys()].slice(0, namesShown);
  const more = lacking.size > namesShown ? ` and ${lacking.size - namesShown} more` : "";
  return new GitError(
    "lfs-missing",
    `The mirror lacks large files (LFS): ${names.join(", ")}${more}. ${reason}.`,
    'Everything else is mirrored, and the next run asks again. Push them to the host again (git lfs push --all), or set "lfs": false for a mirror without large files.',
  );
}
