import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { awsIdentity, credentialsFor } from "./credentials.ts";
import { GitError } from "./errors.ts";
import { type GitOptions, git, stream, transport } from "./git.ts";
import type { Location } from "./location.ts";
import { redactor } from "./redact.ts";
import type { Repository } from "./repository.ts";

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
  const identity = awsIdentity();
  const offline = (options: Options): GitOptions => ({
    directory,
    signal,
    redact: (text) => text,
    ...options,
  });
  const online = async (options: Options): Promise<GitOptions> => {
    // Asked for each time: CodeCommit's signature is good for some 15 minutes.
    const credentials = await credentialsFor(repository, identity);
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
      const trace = join(directory, "trace");
      await rm(trace, { force: true });
      const options = await online({ environment: { GIT_TRACE2_EVENT: trace } });
      const text = Buffer.from(await git(["ls-remote", ...args], options), "latin1").toString();
      const lines = text.split("\n").filter(Boolean);
      if (lines.length === 0 && (await spokenVersion(trace)) === undefined) throw noGit(location);
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

/** The version of git's protocol that the last command agreed on with the host; undefined if it spoke none. */
export async function spokenVersion(trace: string): Promise<number | undefined> {
  const text = await readFile(trace, "utf8").catch(() => "");
  const found = /"key":"negotiated-version","value":"(\d)"/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** git takes any web page without a word for an empty repository of an old kind. */
const noGit = ({ url }: Location) =>
  new GitError(
    "git-not-found",
    `What answers at ${url} is no git host.`,
    "Check the URL, and whether something on the way, a login page say, answers in its place.",
  );

export interface Head {
  readonly commit: string;
  /** The full name of the branch; `HEAD` on hosts that do not say where it points. */
  readonly ref: string;
}

/** The commit that the followed branch is at; undefined where the repository has no commit yet. @throws GitError */
export async function readHead(remote: Remote, branch: string | undefined): Promise<Head | undefined> {
  const wanted = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
  // git asks for all branches, or for all refs, and picks the wanted one itself.
  const how = branch === undefined ? ["--symref"] : ["--heads"];
  const targets = (await remote.list([...how, "origin", wanted]))
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
