import { type Fetched, fetchStep } from "./fetch-step.ts";
import type { Head } from "./head.ts";
import type { Remote } from "./remote.ts";

/** The fetches of a repository's steps, one at a time, since all work in the same scratch repository. */
export interface Fetches {
  /** Begins with the step that will likely be claimed: until it is stored, a fetch changes nothing anywhere. */
  begin(head: Head, from: string): void;
  /** Fetches a step, or waits for it if it is the one begun; another one that was begun is stopped. @throws GitError */
  step(head: Head, from: string | undefined): Promise<Fetched | "gone">;
  stop(): Promise<void>;
}

export function openFetches(remote: Remote): Fetches {
  let begun:
    | { from: string; to: string; over: AbortController; fetched: Promise<Fetched | "gone"> }
    | undefined;
  const stop = async () => {
    begun?.over.abort();
    await begun?.fetched.catch(() => {});
    begun = undefined;
  };
  return {
    begin(head, from) {
      const over = new AbortController();
      const fetched = fetchStep(remote.until(over.signal), head, from);
      fetched.catch(() => {}); // told where it is waited for
      begun = { from, to: head.commit, over, fetched };
    },
    async step(head, from) {
      if (begun?.from === from && begun?.to === head.commit) {
        const { fetched } = begun;
        begun = undefined;
        return fetched;
      }
      await stop();
      return fetchStep(remote, head, from);
    },
    stop,
  };
}
