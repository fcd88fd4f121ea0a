import { setTimeout as sleep } from "node:timers/promises";

/** Waits for some milliseconds. @throws the signal's reason, and not an error of its own as Node's timers do */
export async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
