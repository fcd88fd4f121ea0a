import { together } from "./settle.ts";

/** Does `work` for every item, so many at once; the results are in the items' order. The first error stops the rest. */
export async function inParallel<T, R>(
  items: readonly T[],
  atOnce: number,
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
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, () =>
    worker().catch((error) => {
      failed = true;
      throw error;
    }),
  );
  await together(...workers);
  return results;
}
