import { runGit, streamGit } from "./git.ts";

/** What a pack is to contain: everything that `include` needs, but for what `exclude` needs. */
export interface PackContent {
  /** Ids of objects of the repository. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Whether a delta may name its base by an offset, which takes less room than an id. */
  readonly offsets: boolean;
}

export interface PackOptions {
  readonly signal: AbortSignal;
  /** Receives git's progress, which is not requested without it. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

/** Streams a pack of objects of a repository. @throws GitError */
export function packObjects(
  repository: string,
  { include, exclude, offsets }: PackContent,
  { signal, onProgress }: PackOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const options = [...(offsets ? ["--delta-base-offset"] : []), onProgress ? "--progress" : "-q"];
  const input = [...include, ...exclude.map((id) => `^${id}`)].map((line) => `${line}\n`).join("");
  return streamGit(["pack-objects", "--revs", "--stdout", ...options], {
    directory: repository,
    signal,
    input,
    ...(onProgress && { onLine: onProgress }),
  });
}

/** Returns those of these objects that a repository has. @throws GitError */
export async function objectsThere(
  repository: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  if (ids.length === 0) return [];
  const input = ids.map((id) => `${id}\n`).join("");
  const checked = await runGit(["cat-file", "--batch-check"], { directory: repository, signal, input });
  return checked
    .split("\n")
    .flatMap((line) => (/^[0-9a-f]{40,} \w+ \d+$/.test(line) ? [line.slice(0, 40)] : []));
}
