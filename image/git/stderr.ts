import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { printable } from "../lib/printable.ts";

const keptCharacters = 16_384;

/**
 * Collects what a program writes to stderr, and passes each line to `onLine`, progress included.
 * @returns a function that waits for the end of stderr, and returns its last 16 KiB without progress
 */
export function collectStderr(
  stderr: Readable,
  onLine: ((line: string) => void) | undefined,
): () => Promise<string> {
  let rest = "";
  let kept = "";
  const take = (raw: string, terminator: string) => {
    const line = printable(raw);
    if (line.trim() !== "") onLine?.(line.trim());
    // Progress ends with a carriage return.
    if (terminator === "\n") kept = `${kept}${line}\n`.slice(-keptCharacters);
  };
  stderr.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split(/([\r\n])/);
    rest = (parts.pop() ?? "").slice(-keptCharacters);
    for (let index = 0; index + 1 < parts.length; index += 2)
      take(parts[index] ?? "", parts[index + 1] ?? "");
  });
  const ended = new Promise((resolve) => stderr.once("end", resolve).once("error", resolve));
  return async () => {
    // A helper process of git may live on and hold stderr open.
    await Promise.race([ended, sleep(1_000)]);
    return (kept + rest).trim();
  };
}
