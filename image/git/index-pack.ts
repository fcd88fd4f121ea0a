import { PassThrough } from "node:stream";
import { LimitError } from "../lib/errors.ts";
import { settleAll } from "../lib/settle.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

export interface StoredPack {
  /** The path of the pack's index. */
  readonly index: string;
  readonly bytes: number;
}

/**
 * Stores a pack in a scratch repository.
 * @param checks further options of git index-pack
 * @throws GitError, LimitError where the pack exceeds `maxBytes`, or the error of `pack`
 */
export async function indexPack(
  pack: AsyncIterable<Uint8Array>,
  scratch: ScratchRepository,
  maxBytes: number,
  onProgress: ((line: string) => void) | undefined,
  checks: readonly string[] = [],
): Promise<StoredPack> {
  const input = new PassThrough();
  const limit = `--max-input-size=${maxBytes}`;
  const command = ["index-pack", "--stdin", ...checks, limit, ...(onProgress ? ["-v"] : [])];
  const indexed = scratch.run(command, { input, ...(onProgress && { onLine: onProgress }) });
  let failed = false;
  indexed.catch(() => {
    failed = true;
  });
  let bytes = 0;
  const receive = async () => {
    try {
      // git may have all it needs before the end. The rest is read nevertheless, as it may hold an error.
      for await (const chunk of pack) {
        if (failed) return;
        bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(maxBytes);
        if (input.writable && !input.write(chunk)) await drained(input);
      }
    } finally {
      input.end();
    }
  };
  // An error of the pack comes first: git's error is then only that its input ends too early.
  const [, output] = await settleAll(receive(), indexed);
  return { index: scratch.packPath(`pack-${output.trim().replace(/^pack\t/, "")}.idx`), bytes };
}

const drained = (stream: PassThrough): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });

const tooLarge = (maxBytes: number) =>
  new LimitError(
    "pack-too-large",
    `The host sent a pack that is larger than MAX_PACK_BYTES (${maxBytes} bytes).`,
    "Raise MAX_PACK_BYTES, and give the task enough ephemeral storage, to collect this repository.",
  );
