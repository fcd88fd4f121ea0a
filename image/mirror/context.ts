import type { Settings } from "../config/settings.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import type { Connection } from "../host/connection.ts";
import type { LargeFileSource } from "../lfs/fetch-large-files.ts";
import type { ObjectStore } from "../stores/stores.ts";

/** What a run works with while it mirrors one repository. */
export interface MirrorContext {
  /** The mirror: a bare repository's files, and its chain of records. */
  readonly objects: ObjectStore;
  readonly connection: Connection;
  /** The beginnings of the names of the refs to mirror. */
  readonly prefixes: readonly string[];
  /** Whether to keep what is taken from refs under `refs/archive/`. */
  readonly archives: boolean;
  /** Where the large files are; undefined for a mirror without them. */
  readonly largeFiles: LargeFileSource | undefined;
  readonly settings: Settings;
  /** The repository's URL, for its records. */
  readonly url: string;
  /** Identifies this run. */
  readonly owner: string;
  /** Returns whether another run, which is named so, has surely ended. */
  isGone(owner: string): boolean;
  /** Returns an empty scratch repository. */
  openScratch(): Promise<ScratchRepository>;
  gitVersion(): Promise<string>;
  readonly signal: AbortSignal;
  readonly onProgress: ((line: string) => void) | undefined;
  /** Returns the time in milliseconds since 1970. */
  now(): number;
}
