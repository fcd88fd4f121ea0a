/** Lets at most some of many start at the same time. */
export interface Slots {
  /** Waits for a free slot, and returns the function that frees it again. @throws the signal's reason */
  take(signal: AbortSignal): Promise<() => void>;
}

export function openSlots(limit: number): Slots {
  let free = limit;
  const waiting = new Set<() => void>();
  const release = () => {
    const [next] = waiting;
    if (next === undefined) free++;
    else next();
  };
  return {
    async take(signal) {
      signal.throwIfAborted();
      if (free > 0) free--;
      else {
        await new Promise<void>((resolve, reject) => {
          const stop = () => {
            waiting.delete(start);
            reject(signal.reason);
          };
          const start = () => {
            waiting.delete(start);
            signal.removeEventListener("abort", stop);
            resolve();
          };
          waiting.add(start);
          signal.addEventListener("abort", stop, { once: true });
        });
      }
      let taken = true;
      return () => {
        if (taken) release();
        taken = false;
      };
    },
  };
}
