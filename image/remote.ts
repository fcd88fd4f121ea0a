import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { credentialsFor } from "./credentials.ts";
import type { Repository } from "./environment.ts";
import { GitError } from "./errors.ts";
import { type GitOptions, git, stream, transport } from "./git.ts";
import { redactor } from "./redact.ts";

type Options = Partial<Pick<GitOptions, "worktree" | "config" | "environment" | "input" | "onLine">>;

/** Configures a fetch that leaves out trees or files; never written to disk, so that nothing fetches them later. */
export const promisor = [
  ["remote.origin.promisor", "true"],
  ["remote.origin.partialCloneFilter", "blob:none"],
] as const;

/** A repository on its host, and the scratch repository on disk that holds what was fetched of it. */
export interface Remote {
  /** The scratch repository's own folder; its work tree is in `worktree` there. */
  readonly directory: string;
  /** Empties the scratch repository. */
  reset(): Promise<void>;
  /** `git fetch`, the one command that reaches the host for objects. @throws GitError */
  fetch(args: readonly string[], options?: Options): Promise<void>;
  /** `git ls-remote`, as pairs of target and name. @throws GitError */
  list(args: readonly string[]): Promise<[target: string, name: string][]>;
  /** git in the scratch repository, which reaches nobody. @throws GitError */
  run(args: readonly string[], options?: Options): Promise<string>;
  stream(args: readonly string[], options?: Options): AsyncIterable<Uint8Array>;
  isShallow(): boolean;
  /** Another scratch repository for the same remote, in a folder beside. */
  beside(name: string): Remote;
  /** Bytes of all packs that came over the wire and are still here. */
  packBytes(): Promise<number>;
}

/** @param directory may be deleted and made again */
export function openRemote(
  repository: Repository,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Remote {
  const { location } = repository;
  const offline = (options: Options): GitOptions => ({
    directory,
    signal,
    redact: (text) => text,
    ...options,
  });
  const online = async (options: Options): Promise<GitOptions> => {
    // Asked for each time: CodeCommit's signature is good for some 15 minutes.
    const credentials = await credentialsFor(repository);
    const redact = redactor(credentials);
    const header =
      credentials &&
      `Authorization: Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`;
    return {
      ...offline(options),
      redact,
      config: [
        ...transport(location, header),
        ["remote.origin.url", location.url],
        ...(options.config ?? []),
      ],
      onLine: (line) => {
        options.onLine?.(line);
        onProgress(redact(line));
      },
    };
  };
  const run = (args: readonly string[], options: Options = {}) => git(args, offline(options));
  const packs = join(directory, "objects", "pack");
  return {
    directory,
    async reset() {
      await rm(directory, { recursive: true, force: true });
      await mkdir(packs, { recursive: true });
      await mkdir(join(directory, "refs"));
      await mkdir(join(directory, "worktree"));
      await writeFile(join(directory, "HEAD"), "ref: refs/heads/none\n");
      await writeFile(join(directory, "config"), "[core]\nrepositoryformatversion = 1\nbare = true\n");
    },
    async fetch(args, options = {}) {
      const always = ["--progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
      await git(["fetch", ...always, ...args], await online(options));
    },
    async list(args) {
      const lines = (await git(["ls-remote", ...args], await online({}))).split("\n").filter(Boolean);
      return lines.map((line) => line.split("\t") as [string, string]);
    },
    run,
    stream: (args, options = {}) => stream(args, offline(options)),
    isShallow: () => existsSync(join(directory, "shallow")),
    beside: (name) => openRemote(repository, join(dirname(directory), name), signal, onProgress),
    async packBytes() {
      if (!existsSync(packs)) return 0;
      const names = (await readdir(packs)).filter((name) => name.endsWith(".pack"));
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(packs, name))).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
  };
}

export interface Head {
  readonly commit: string;
  /** The full name of the branch; `HEAD` on hosts that do not say where it points. */
  readonly ref: string;
}

/** The commit that the followed branch is at; undefined where the repository has no commit yet. @throws GitError */
export async function readHead(remote: Remote, branch: string | undefined): Promise<Head | undefined> {
  const wanted = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
  const targets = (await remote.list(["--symref", "origin", wanted]))
    .filter(([, name]) => name === wanted)
    .map(([target]) => target);
  const commit = targets.find((target) => !target.startsWith("ref: "));
  const ref = targets.find((target) => target.startsWith("ref: "))?.slice("ref: ".length) ?? wanted;
  if (commit !== undefined) return { commit, ref };
  const branches = (await remote.list(["--heads", "origin"])).map(([, name]) =>
    name.slice("refs/heads/".length),
  );
  if (branches.length === 0) return undefined;
  throw new GitError(
    "branch-not-found",
    branch === undefined
      ? "The remote's HEAD names a branch that does not exist."
      : `There is no branch "${branch}" in the repository.`,
    `Set the branch to one that is there: ${branches.slice(0, 5).join(", ")}${branches.length > 5 ? ", ..." : "."}`,
  );
}
