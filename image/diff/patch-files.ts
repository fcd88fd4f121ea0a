import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const mebibyte = 1024 * 1024;

interface Part {
  readonly kind: "removals" | "others";
  readonly path: string;
  bytes: number;
}

/** Files for `git apply`, to which the sections of a diff are written. */
export interface Patches {
  /** Says where the bytes that follow belong; undefined for nowhere. */
  begin(kind: Part["kind"] | undefined): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  /** The paths of the files, those with removals first. */
  end(): Promise<string[]>;
}

/**
 * @param folder where the files are made, in place of those of the patch before
 * @param partBytes the size of a file, or little more: git reads each into memory
 */
export function openPatches(folder: string, partBytes = 64 * mebibyte, bufferBytes = mebibyte): Patches {
  const parts: Part[] = [];
  let current: Part | undefined;
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
    async begin(kind) {
      // As a rule a section goes where the last one went.
      if (kind !== undefined && kind === current?.kind && current.bytes + buffered < partBytes) return;
      await flush();
      current = undefined;
      if (kind === undefined) return;
      current = parts.findLast((part) => part.kind === kind && part.bytes < partBytes);
      if (current !== undefined) return;
      current = { kind, path: join(folder, `patch-${parts.length}`), bytes: 0 };
      parts.push(current);
    },
    async write(bytes) {
      if (current === undefined) return;
      buffer.push(bytes);
      buffered += bytes.length;
      if (buffered >= bufferBytes) await flush();
    },
    async end() {
      await flush();
      const [removals, others] = [
        (part: Part) => part.kind === "removals",
        (part: Part) => part.kind === "others",
      ];
      return [...parts.filter(removals), ...parts.filter(others)].map(({ path }) => path);
    },
  };
}
