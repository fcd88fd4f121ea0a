import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const mebibyte = 1024 * 1024;

interface PatchFile {
  readonly kind: "removals" | "others";
  readonly path: string;
  bytes: number;
}

/** Writes the sections of a diff into files for `git apply`. */
export interface PatchFiles {
  /** Selects where the following bytes go; undefined drops them. */
  select(kind: PatchFile["kind"] | undefined): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  /** Returns the paths of the files, those with removals first. */
  end(): Promise<string[]>;
}

/**
 * @param folder where the files are written, over those of the patch before
 * @param maxBytes the size from which a file takes no further section: git reads each file into memory
 */
export function openPatchFiles(folder: string, maxBytes = 64 * mebibyte, bufferBytes = mebibyte): PatchFiles {
  const files: PatchFile[] = [];
  let current: PatchFile | undefined;
  let buffer: Uint8Array[] = [];
  let buffered = 0;
  const flush = async () => {
    if (current && buffered > 0) {
      await (current.bytes === 0 ? writeFile : appendFile)(current.path, Buffer.concat(buffer));
      current.bytes += buffered;
    }
    buffer = [];
    buffered = 0;
  };
  return {
    async select(kind) {
      // Most sections go where the section before went.
      if (kind !== undefined && kind === current?.kind && current.bytes + buffered < maxBytes) return;
      await flush();
      current = undefined;
      if (kind === undefined) return;
      current = files.findLast((file) => file.kind === kind && file.bytes < maxBytes);
      if (current !== undefined) return;
      current = { kind, path: join(folder, `patch-${files.length}`), bytes: 0 };
      files.push(current);
    },
    async write(bytes) {
      if (current === undefined) return;
      buffer.push(bytes);
      buffered += bytes.length;
      if (buffered >= bufferBytes) await flush();
    },
    async end() {
      await flush();
      const pathsOf = (kind: PatchFile["kind"]) =>
        files.filter((file) => file.kind === kind).map(({ path }) => path);
      return [...pathsOf("removals"), ...pathsOf("others")];
    },
  };
}
