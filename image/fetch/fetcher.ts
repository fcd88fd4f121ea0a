import { type Fetched, fetchStep } from "./fetch-step.ts";
import type { Source } from "./source.ts";
import type { Ends } from "./strategies.ts";

/** Fetches a repository's steps, one at a time: all use the same scratch repository. */
export interface Fetcher {
  /** Begins to fetch the step that will likely be claimed. Until its diff is stored, a fetch changes nothing anywhere. */
  prefetch(ends: Ends): void;
  /** Fetches a step, or waits for it if it was begun. Any other one that was begun is stopped. @throws GitError */
  fetch(ends: Ends): Promise<Fetched | "gone">;
  /** Stops what was begun. */
  stop(): Promise<void>;
}

/** @param open called once there is something to fetch */
export function openFetcher(open: () => Promise<Source>): Fetcher {
  let begun: { ends: Ends; stopped: AbortController; fetched: Promise<Fetched | "gone"> } | undefined;
  const stop = async () => {
    begun?.stopped.abort();
    await begun?.fetched.catch(() => {});
    begun = undefined;
  };
  return {
    prefetch(ends) {
      const stopped = new AbortController();
      const fetched = open().then((source) =>
        fetchStep({ ...source, scratch: source.scratch.stoppedBy(stopped.signal) }, ends),
      );
      fetched.catch(() => {}); // `fetch` throws it.
      begun = { ends, stopped, fetched };
    },
    async fetch(ends) {
      if (begun?.ends.from === ends.from && begun?.ends.to === ends.to) {
        const { fetched } = begun;
        begun = undefined;
        return fetched;
      }
      await stop();
      return fetchStep(await open(), ends);
    },
    stop,
  };
}
