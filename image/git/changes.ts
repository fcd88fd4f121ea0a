import type { ScratchRepository } from "./scratch-repository.ts";

/** One path that differs between two trees. A mode is six octal digits; 000000 and a null id where there is none. */
export interface Change {
  readonly modeBefore: string;
  readonly modeAfter: string;
  readonly idBefore: string;
  readonly idAfter: string;
  /** In latin1, one character for each byte. */
  readonly path: string;
}

export interface ChangeOptions {
  /** Pathspecs; none means everything. */
  readonly paths?: readonly string[];
  /** Whether changed folders are streamed too. */
  readonly trees?: boolean;
}

/** Streams what differs between two trees, without looking for renames. @throws GitError */
export async function* streamChanges(
  scratch: ScratchRepository,
  from: string,
  to: string,
  { paths = [], trees = false }: ChangeOptions = {},
): AsyncGenerator<Change> {
  const command = [
    "diff-tree",
    "-r",
    ...(trees ? ["-t"] : []),
    "-z",
    "--raw",
    "--no-renames",
    "--full-index",
  ];
  let rest = "";
  for await (const chunk of scratch.stream([...command, from, to, "--", ...paths])) {
    const fields = (rest + Buffer.from(chunk).toString("latin1")).split("\0");
    // A change is `:mode mode id id status`, then its path: two fields.
    const complete = (fields.length - 1) & ~1;
    for (let index = 0; index < complete; index += 2) {
      const [modeBefore = "", modeAfter = "", idBefore = "", idAfter = ""] = (fields[index] ?? "")
        .slice(1)
        .split(" ");
      yield { modeBefore, modeAfter, idBefore, idAfter, path: fields[index + 1] ?? "" };
    }
    rest = fields.slice(complete).join("\0");
  }
}

/** Returns whether a mode is a regular file's or a symbolic link's. */
export const isBlob = (mode: string): boolean => /^100|^120/.test(mode);
