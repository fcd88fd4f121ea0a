import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type GitOptions, runGit, streamGit } from "./git.ts";

type Options = Partial<Omit<GitOptions, "directory" | "signal" | "redact">>;

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
  isShallow(): boolean;
  /** Returns the commits whose parents were left out. */
  readShallow(): Promise<string[]>;
  writeShallow(commits: readonly string[]): Promise<void>;
  /** Returns the size of all packs in bytes. */
  packBytes(): Promise<number>;
  /** Returns another scratch repository in a folder beside this one. */
  sibling(name: string): ScratchRepository;
  /** Returns the same repository, whose commands this signal stops too. */
  stoppedBy(signal: AbortSignal): ScratchRepository;
}

export function openScratchRepository(directory: string, signal: AbortSignal): ScratchRepository {
  const local = (options: Options): GitOptions => ({ directory, signal, redact: (text) => text, ...options });
  const [packs, shallow, worktree] = [
    join(directory, "objects", "pack"),
    join(directory, "shallow"),
    join(directory, "worktree"),
  ];
  return {
    directory,
    worktree,
    signal,
    async reset() {
      await rm(directory, { recursive: true, force: true });
      await mkdir(packs, { recursive: true });
      await mkdir(join(directory, "refs"));
      await mkdir(worktree);
      await writeFile(join(directory, "HEAD"), "ref: refs/heads/none\n");
      await writeFile(join(directory, "config"), "[core]\nrepositoryformatversion = 1\nbare = true\n");
    },
    run: (args, options = {}) => runGit(args, local(options)),
    stream: (args, options = {}) => streamGit(args, local(options)),
    isShallow: () => existsSync(shallow),
    async readShallow() {
      if (!existsSync(shallow)) return [];
      return (await readFile(shallow, "utf8")).split("\n").filter(Boolean);
    },
    async writeShallow(commits) {
      if (commits.length > 0) await writeFile(shallow, `${commits.join("\n")}\n`);
    },
    async packBytes() {
      if (!existsSync(packs)) return 0;
      const names = (await readdir(packs)).filter((name) => name.endsWith(".pack"));
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(packs, name))).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    sibling: (name) => openScratchRepository(join(dirname(directory), name), signal),
    stoppedBy: (other) => openScratchRepository(directory, AbortSignal.any([signal, other])),
  };
}

/** Returns git's version, such as 2.47.3. @throws GitError */
export async function readGitVersion(folder: string, signal: AbortSignal): Promise<string> {
  const text = await runGit(["version"], { directory: folder, signal, redact: (text) => text });
  return text.trim().replace(/^git version /, "");
}
