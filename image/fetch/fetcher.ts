import { type Fetched, fetchStep } from "./fetch-step.ts";
import type { Head } from "./head.ts";
import type { Source } from "./source.ts";

/** Fetches a repository's steps, one at a time: all use the same scratch repository. */
export interface Fetcher {
  /** Begins to fetch the step that will likely be claimed. Until its diff is stored, a fetch changes nothing anywhere. */
  prefetch(head: Head, from: string): void;
  /** Fetches a step, or waits for it if it was begun. Any other one that was begun is stopped. @throws GitError */
  fetch(head: Head, from: string | undefined): Promise<Fetched | "gone">;
  /** Stops what was begun. */
  stop(): Promise<void>;
}

export function openFetcher(source: Source): Fetcher {
  let begun:
    | { from: string; to: string; stopped: AbortController; fetched: Promise<Fetched | "gone"> }
    | undefined;
  const stop = async () => {
    begun?.stopped.abort();
    await begun?.fetched.catch(() => {});
    begun = undefined;
  };
  return {
    prefetch(head, from) {
      const stopped = new AbortController();
      const scratch = source.scratch.stoppedBy(stopped.signal);
      const fetched = fetchStep({ ...source, scratch }, head, from);
      fetched.catch(() => {}); // `fetch` throws it.
      begun = { from, to: head.commit, stopped, fetched };
    },
    async fetch(head, from) {
      if (begun?.from === from && begun?.to === head.commit) {
        const { fetched } = begun;
        begun = undefined;
        return fetched;
      }
      await stop();
      return fetchStep(source, head, from);
    },
    stop,
  };
}
