import type { Settings } from "../config/settings.ts";
import type { Fetched } from "../fetch/fetch-step.ts";
import type { Head } from "../fetch/head.ts";
import type { Ends } from "../fetch/strategies.ts";
import type { Stores } from "../stores/stores.ts";
import type { Gatherer } from "../tables/gather-rows.ts";

/** What a run works with while it collects one repository. */
export interface Context {
  readonly stores: Stores;
  readonly settings: Settings;
  readonly steps: StepSource;
  /** The repository's URL, for its records. */
  readonly url: string;
  /** Identifies this run. */
  readonly owner: string;
  /** Returns whether another run, which is named so, has surely ended. */
  isGone(owner: string): boolean;
  readonly onProgress: (line: string) => void;
  /** Returns the time in milliseconds since 1970. */
  now(): number;
}

/** Gives what a step is made of: heads, fetches and diffs. */
export interface StepSource {
  /** Returns the head of the followed branch, and undefined where there is no commit yet. @throws GitError */
  readHead(): Promise<Head | undefined>;
  /** Begins to fetch the step that will likely be claimed. */
  prefetch(ends: Ends): void;
  stopPrefetch(): Promise<void>;
  /** Fetches a step; "gone" where the host no longer has `from`. @throws GitError */
  fetch(ends: Ends): Promise<Fetched | "gone">;
  /** Streams the diff of the step that was fetched last. @throws GitError */
  diff(from: string, to: string, binary: boolean): AsyncIterable<Uint8Array>;
  /** Returns the number of binary files in that diff. @throws GitError */
  countBinaryFiles(from: string, to: string): Promise<number>;
  /** Returns the id that a tree of that step has once git writes it anew, if that is another one. @throws GitError */
  canonicalTree(tree: string): Promise<string | undefined>;
  /** Begins to gather the rows of that step. Undefined where no tables are made. */
  gatherRows?(): Promise<Gatherer>;
  gitVersion(): Promise<string>;
}
