import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { git as run, tryGit } from "./git.ts";

export const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/** A path in a repository is bytes; a string stands for its UTF-8. */
export type RepositoryPath = string | Uint8Array;

export interface RepositoryOptions {
  /** Where to make it; a temporary folder unless told. Either way it is gone after close(). */
  path?: string;
  branch?: string;
  /** The date of the first commit; every later one is at least a minute younger than the one before. */
  start?: Date;
}

export interface Repository extends AsyncDisposable {
  path: string;
  git(...args: string[]): Promise<string>;
  gitBytes(args: readonly string[], input?: Uint8Array | string): Promise<Uint8Array>;
  write(path: RepositoryPath, content: string | Uint8Array, options?: { mode?: number }): Promise<void>;
  remove(path: RepositoryPath): Promise<void>;
  symlink(path: RepositoryPath, target: RepositoryPath): Promise<void>;
  /** Points the submodule at `path` to `commit`, which need not exist anywhere. */
  submodule(path: RepositoryPath, commit: string): Promise<void>;
  /** Commits all there is in the folder, deletions included, even when nothing changed; answers its id. */
  commit(message?: string, options?: { date?: Date }): Promise<string>;
  head(): Promise<string>;
  close(): Promise<void>;
}

export async function makeRepository(options: RepositoryOptions = {}): Promise<Repository> {
  const path = options.path ?? (await mkdtemp(join(tmpdir(), "repository-")));
  let seconds = Math.floor((options.start ?? new Date("2024-06-01T00:00:00Z")).getTime() / 1000);
  await run(["init", "--quiet", "--template=", "-b", options.branch ?? "main", path]);

  const gitBytes = (args: readonly string[], input?: Uint8Array | string) =>
    run(args, { cwd: path, input, env: identity(seconds++) });
  const git = async (...args: string[]) => (await gitBytes(args)).toString().trim();
  const close = () => rm(path, { recursive: true, force: true });
  const place = async (name: RepositoryPath) => {
    const full = Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name)]);
    await mkdir(full.subarray(0, full.lastIndexOf("/")), { recursive: true });
    await rm(full, { recursive: true, force: true });
    return full;
  };

  return {
    path,
    git,
    gitBytes,
    async write(name, content, { mode = 0o644 } = {}) {
      const full = await place(name);
      await writeFile(full, content);
      await chmod(full, mode);
    },
    async remove(name) {
      await place(name);
    },
    async symlink(name, target) {
      await symlink(Buffer.from(target), await place(name));
    },
    async submodule(name, commit) {
      // An empty folder is what keeps `git add --all` from taking the submodule for deleted.
      await mkdir(await place(name));
      const entry = Buffer.concat([Buffer.from(`160000 ${commit}\t`), Buffer.from(name), Buffer.from("\0")]);
      await gitBytes(["update-index", "-z", "--add", "--index-info"], entry);
    },
    async commit(message = "Change", { date } = {}) {
      if (date) seconds = Math.floor(date.getTime() / 1000);
      const env = identity(seconds);
      seconds += 60;
      await run(["add", "--all", "--force"], { cwd: path });
      await run(["commit", "--quiet", "--allow-empty", "--no-verify", "-m", message], { cwd: path, env });
      return git("rev-parse", "HEAD");
    },
    head: () => git("rev-parse", "HEAD"),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function identity(seconds: number): Record<string, string> {
  const date = `${seconds} +0000`;
  return {
    GIT_AUTHOR_NAME: "A. Author",
    GIT_AUTHOR_EMAIL: "author@example.com",
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: "C. Committer",
    GIT_COMMITTER_EMAIL: "committer@example.com",
    GIT_COMMITTER_DATE: date,
  };
}

/** What an ordinary full clone, checked out at `to`, says of the two commits; the right bytes by definition. */
export async function oracle(repositoryPath: string, from: string | null, to: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "oracle-"));
  try {
    await run(["clone", "--quiet", "--no-checkout", "--template=", repositoryPath, folder]);
    for (const commit of [from, to]) {
      if (!commit) continue;
      const { status } = await tryGit(["cat-file", "-e", `${commit}^{tree}`], { cwd: folder });
      if (status === 0) continue;
      const env = asConfiguration({ "uploadpack.allowAnySHA1InWant": "true" });
      await run(["fetch", "--quiet", repositoryPath, commit], { cwd: folder, env });
    }
    await run(["checkout", "--quiet", "--detach", to], { cwd: folder });
    const fixed = ["--full-index", "--find-renames", "--no-color", "--no-ext-diff", "--no-textconv"];
    const range = ["--ignore-submodules=none", from ?? EMPTY_TREE, to];
    return await run(["diff", ...fixed, ...range], { cwd: folder });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Configuration by environment, which git hands down to the programs it starts and writes nowhere. */
export function asConfiguration(settings: Record<string, string>): Record<string, string> {
  const entries = Object.entries(settings);
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(entries.length) };
  for (const [index, [key, value]] of entries.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}
