type Settled<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/** Does what `Promise.all` does, but waits for every promise to settle first. A failure leaves nothing running. */
export async function settleAll<T extends readonly unknown[]>(...work: T): Promise<Settled<T>> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as Settled<T>;
}
