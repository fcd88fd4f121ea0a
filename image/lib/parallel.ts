import { settleAll } from "./settle.ts";

/**
 * Runs `work` on every item, at most `limit` at a time. Returns the results in the order of the items.
 * The first error stops the rest, and is thrown once the running ones have settled.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  let failed = false;
  const worker = async () => {
    for (const [index, item] of waiting) {
      if (failed) return;
      results[index] = await work(item);
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, () =>
    worker().catch((error) => {
      failed = true;
      throw error;
    }),
  );
  await settleAll(...workers);
  return results;
}

/**
 * Streams what `work` makes of each item, in the order of the items. It runs on at most `limit` of them at a time, those
 * included whose results wait for their turn. The first error in that order is thrown once the running ones have settled.
 */
export async function* inOrder<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const running: Promise<R>[] = [];
  const first = async () => {
    const result = await (running[0] as Promise<R>);
    running.shift();
    return result;
  };
  try {
    for (const item of items) {
      if (running.length === limit) yield await first();
      const result = work(item);
      result.catch(() => {}); // Thrown in its turn.
      running.push(result);
    }
    while (running.length > 0) yield await first();
  } finally {
    await Promise.allSettled(running);
  }
}
