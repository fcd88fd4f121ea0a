type Settled<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/** `Promise.all` that waits for every one to end, also where one fails: none is left running behind. */
export async function together<T extends readonly unknown[]>(...work: T): Promise<Settled<T>> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as Settled<T>;
}
