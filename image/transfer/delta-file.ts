import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { isFailure, StoreError } from "../lib/errors.ts";
import { writeAtomically } from "../stores/files.ts";
import { carryAgain } from "./tar.ts";

/** Writes a delta to a file, which appears whole or not at all. A device, a pipe and stdout receive it as it is made. @throws StoreError */
export async function writeDelta(
  path: string | "-",
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const body = untilAborted(content, signal);
  try {
    if (path === "-") return await pipeline(body, process.stdout, { end: false });
    const isFile = (await stat(path).catch(() => undefined))?.isFile() ?? true;
    if (!isFile) return await pipeline(body, createWriteStream(path));
    await writeAtomically(`${path}.${randomUUID()}`, body, path, rename);
  } catch (error) {
    throw isFailure(error) ? error : unwritable(path === "-" ? "stdout" : path, error as Error);
  }
}

/** Reads a delta from a file, or from stdin. @throws StoreError */
export async function* readDelta(path: string | "-", signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    const source: AsyncIterable<Uint8Array> = path === "-" ? process.stdin : createReadStream(path);
    yield* untilAborted(source, signal);
  } catch (error) {
    throw isFailure(error) ? error : unreadable(path === "-" ? "stdin" : path, error as Error);
  }
}

async function* untilAborted(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk;
  }
}

const unwritable = (where: string, cause: Error) =>
  new StoreError(
    "delta-unwritable",
    `The delta cannot be written to ${where}: ${cause.message}.`,
    "Free disk space, or give a file that can be written. The reader of a pipe must take all of it.",
    { cause },
  );

const unreadable = (where: string, cause: Error) =>
  new StoreError(
    "delta-unreadable",
    `The delta cannot be read from ${where}: ${cause.message}.`,
    carryAgain,
    {
      cause,
    },
  );
