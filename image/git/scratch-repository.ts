import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "../lib/remove.ts";
import { type GitOptions, runGit, streamGit } from "./git.ts";

type Options = Partial<Omit<GitOptions, "directory" | "signal">>;

/** A bare repository on disk that holds what was fetched of a remote one. git in it reaches no network. */
export interface ScratchRepository {
  /** The git directory. It may be deleted and made again. */
  readonly directory: string;
  /** The work tree, below the git directory. */
  readonly worktree: string;
  readonly signal: AbortSignal;
  /** Empties the repository, or makes it. */
  reset(): Promise<void>;
  /** Runs git and returns its stdout, in latin1. @throws GitError */
  run(args: readonly string[], options?: Options): Promise<string>;
  /** Runs git and streams its stdout. @throws GitError */
  stream(args: readonly string[], options?: Options): AsyncIterable<Uint8Array>;
  /** Returns the path of a file in the folder of the packs. */
  packPath(name: string): string;
  /** Returns the same repository, whose commands this signal stops too. */
  stoppedBy(signal: AbortSignal): ScratchRepository;
}

export function openScratchRepository(directory: string, signal: AbortSignal): ScratchRepository {
  const local = (options: Options): GitOptions => ({ directory, signal, ...options });
  const [packs, worktree] = [join(directory, "objects", "pack"), join(directory, "worktree")];
  return {
    directory,
    worktree,
    signal,
    async reset() {
      if (existsSync(directory)) await removeFolder(directory);
      // Six tiny entries. The first request waits for them.
      mkdirSync(packs, { recursive: true });
      mkdirSync(join(directory, "refs"));
      mkdirSync(worktree);
      writeFileSync(join(directory, "HEAD"), "ref: refs/heads/none\n");
      writeFileSync(join(directory, "config"), "[core]\nrepositoryformatversion = 1\nbare = true\n");
    },
    run: (args, options = {}) => runGit(args, local(options)),
    stream: (args, options = {}) => streamGit(args, local(options)),
    packPath: (name) => join(packs, name),
    stoppedBy: (other) => openScratchRepository(directory, AbortSignal.any([signal, other])),
  };
}

/** Returns git's version, such as 2.47.3. @throws GitError */
export async function readGitVersion(signal: AbortSignal): Promise<string> {
  const text = await runGit(["version"], { directory: tmpdir(), signal });
  return text.trim().replace(/^git version /, "");
}
