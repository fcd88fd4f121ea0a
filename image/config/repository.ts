import { fileURLToPath } from "node:url";
import type { Configured } from "../host/credentials.ts";
import { isBranchName, type Location } from "../host/location.ts";

/** One configured repository: what to fetch, and where its cursor and its results are kept. */
export interface Repository {
  readonly location: Location;
  /** The branch to follow; undefined for the remote's HEAD. */
  readonly branch: string | undefined;
  /** The name of the SSM parameter, or the path of the cursor's file. */
  readonly cursor: string;
  /** `bucket` or `bucket/prefix`, or a folder; no slash at the end. */
  readonly destination: string;
  readonly credentials: Configured;
  /** The beginnings of the names of the refs to mirror. Undefined to collect diffs. */
  readonly mirror?: readonly string[];
  /** Whether a mirror has the large files (LFS) too. @default true */
  readonly lfs?: boolean;
  /** Whether a mirror keeps what is taken from refs under `refs/archive/`. @default false */
  readonly archiveRefs?: boolean;
}

/** What a mirror has unless something else is configured. Other refs, such as those of pull requests, are many. */
export const branchesAndTags: readonly string[] = ["refs/heads/", "refs/tags/"];

/** Where a mirror keeps what was taken from refs. */
export const archivePrefix = "refs/archive/";

/** Returns a repository's name for people: its URL or path, the branch where one is configured, and "mirror" for one. */
export function labelOf({ location, branch, mirror }: Repository): string {
  const where = location.transport === "file" ? fileURLToPath(location.url) : location.url;
  if (mirror) return `${where} (mirror)`;
  return branch === undefined ? where : `${where}@${branch}`;
}

/** Returns the mistake in a branch's name, as the rest of a sentence. */
export const branchProblem = (branch: string): string | undefined =>
  isBranchName(branch) ? undefined : `is "${branch}", which is no name of a branch; leave out refs/heads/.`;
