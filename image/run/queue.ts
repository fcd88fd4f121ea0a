/** A queue of work whose items belong to hosts. Hosts take turns, and one that asks for a pause gets one. */
export interface Queue<T> {
  /** Returns the next item, once there is one. Returns undefined at the end. */
  take(signal: AbortSignal): Promise<T | undefined>;
  /** Puts an item back that was taken: its host has asked for a pause. */
  putBack(item: T): void;
  /** Notes that an item is done. Until then it may be put back. */
  finish(): void;
}

/** @param pausedUntil returns until when an item's host shall not be asked, in milliseconds since 1970 */
export function openQueue<T>(
  items: readonly T[],
  hostOf: (item: T) => string,
  pausedUntil: (item: T) => number,
): Queue<T> {
  const waiting = new Map<string, T[]>();
  for (const item of items.toReversed()) {
    const host = hostOf(item);
    const queue = waiting.get(host);
    if (queue) queue.push(item);
    else waiting.set(host, [item]);
  }
  let working = 0;
  let change = Promise.withResolvers<void>();
  const notify = () => {
    change.resolve();
    change = Promise.withResolvers();
  };
  const next = (): { item?: T; wait: number } => {
    const now = Date.now();
    let wait = Number.POSITIVE_INFINITY;
    for (const [host, queue] of waiting) {
      const last = queue.at(-1);
      if (last === undefined) continue;
      const until = pausedUntil(last);
      if (until > now) {
        wait = Math.min(wait, until - now);
        continue;
      }
      queue.pop();
      // To the end: the next host's turn comes next.
      waiting.delete(host);
      if (queue.length > 0) waiting.set(host, queue);
      return { item: last, wait: 0 };
    }
    return { wait };
  };
  return {
    async take(signal) {
      for (;;) {
        const { item, wait } = next();
        if (item !== undefined) {
          working++;
          return item;
        }
        if (working === 0 && wait === Number.POSITIVE_INFINITY) return undefined;
        await changeOrTime(change.promise, wait, signal);
      }
    },
    putBack(item) {
      const host = hostOf(item);
      const queue = waiting.get(host) ?? [];
      queue.push(item);
      waiting.set(host, queue);
      working--;
      notify();
    },
    finish() {
      working--;
      notify();
    },
  };
}

/** Waits for a change of the queue, for a time, or for the end of the run. */
async function changeOrTime(change: Promise<void>, wait: number, signal: AbortSignal): Promise<void> {
  const other = Promise.withResolvers<void>();
  // setTimeout takes no more than 2^31 - 1 milliseconds.
  const timer = setTimeout(other.resolve, Math.min(wait, 60_000));
  // Once the run is over, only the end of the other items is left to wait for.
  if (!signal.aborted) signal.addEventListener("abort", () => other.resolve(), { once: true });
  await Promise.race([change, other.promise]);
  clearTimeout(timer);
}
