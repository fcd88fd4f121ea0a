const longestMilliseconds = 20;

/** Streams `source`, and lets timers and signals run in between: data that is always ready would keep them waiting. */
export async function* letTimersRun<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  let last = performance.now();
  for await (const item of source) {
    yield item;
    if (performance.now() - last < longestMilliseconds) continue;
    await new Promise((resolve) => setTimeout(resolve));
    last = performance.now();
  }
}
