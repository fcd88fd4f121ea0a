import { wait } from "../lib/wait.ts";

/** Work that may start now. Its end adapts the pace. */
export interface Turn {
  succeeded(): void;
  /** The service refused the work as too much. */
  refused(): void;
  /** The work failed for another reason. */
  failed(): void;
}

const atOnce = 8;
const [slower, faster] = [1.25, 0.95];
const [firstMilliseconds, longestMilliseconds] = [50, 5_000];

/**
 * Starts work in its order at the rate that a service allows. There is no pause until the service refuses work. Then the
 * pace slows down with each refusal, and rises with each success.
 */
export function openPace(): { turn(signal: AbortSignal): Promise<Turn> } {
  let interval = 0;
  let [next, changed] = [0, 0];
  let running = 0;
  let last: Promise<void> = Promise.resolve();
  let change = Promise.withResolvers<void>();
  const end = () => {
    running--;
    change.resolve();
    change = Promise.withResolvers();
  };
  /** Waits for a free place, and for the time. */
  const start = async (signal: AbortSignal) => {
    while (running >= atOnce) await change.promise;
    for (let left = next - performance.now(); left > 0; left = next - performance.now())
      await wait(left, signal);
    signal.throwIfAborted();
    running++;
    next = performance.now() + interval;
  };
  return {
    async turn(signal) {
      const before = last;
      const started = before.then(() => start(signal));
      last = started.catch(() => {});
      await started;
      const time = performance.now();
      return {
        succeeded() {
          interval *= faster;
          end();
        },
        refused() {
          // Work that started before the last change says nothing about the present pace.
          if (time >= changed) {
            changed = performance.now();
            interval = Math.min(Math.max(interval * slower, firstMilliseconds), longestMilliseconds);
            next = Math.max(next, changed + interval);
          }
          end();
        },
        failed: end,
      };
    },
  };
}
