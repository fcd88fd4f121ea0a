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
