import type { ScratchRepository } from "./scratch-repository.ts";

/** One path that differs between two trees. A mode is six octal digits; 000000 and a null id where there is none. */
export interface Change {
  readonly modeBefore: string;
  readonly modeAfter: string;
  readonly idBefore: string;
  readonly idAfter: string;
}

/**
 * Streams what differs between two trees, without looking for renames.
 * @param paths pathspecs; none means everything
 */
export async function* streamChanges(
  scratch: ScratchRepository,
  from: string,
  to: string,
  paths: readonly string[],
): AsyncGenerator<Change> {
  const command = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index"];
  let rest = "";
  for await (const chunk of scratch.stream([...command, from, to, "--", ...paths])) {
    const fields = (rest + Buffer.from(chunk).toString("latin1")).split("\0");
    // A change is `:mode mode id id status`, then its path: two fields.
    const complete = (fields.length - 1) & ~1;
    for (let index = 0; index < complete; index += 2) {
      const [modeBefore = "", modeAfter = "", idBefore = "", idAfter = ""] = (fields[index] ?? "")
        .slice(1)
        .split(" ");
      yield { modeBefore, modeAfter, idBefore, idAfter };
    }
    rest = fields.slice(complete).join("\0");
  }
}

/** Returns the ids of all files that a diff reads, also of those whose mode alone changed. */
export async function changedBlobs(scratch: ScratchRepository, from: string, to: string): Promise<string[]> {
  const blobs: string[] = [];
  for await (const { modeBefore, modeAfter, idBefore, idAfter } of streamChanges(scratch, from, to, [])) {
    if (isBlob(modeBefore)) blobs.push(idBefore);
    if (isBlob(modeAfter)) blobs.push(idAfter);
  }
  return blobs;
}

/** Returns whether a mode is a regular file's or a symbolic link's. */
const isBlob = (mode: string) => /^100|^120/.test(mode);
