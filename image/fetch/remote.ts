import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Repository } from "../config/repositories.ts";
import { type GitOptions, git, stream } from "../git/git.ts";
import { type Host, openHost } from "../host/connection.ts";
import type { Wants } from "../host/upload-pack.ts";

type Options = Partial<Pick<GitOptions, "worktree" | "config" | "environment" | "input" | "onLine">>;

/** A repository on its host, and the scratch repository on disk that holds what was fetched of it. */
export interface Remote {
  readonly host: Host;
  /** The scratch repository's own folder; its work tree is in `worktree` there. */
  readonly directory: string;
  /** Empties the scratch repository. */
  reset(): Promise<void>;
  /** Fetches objects by their ids; tells whether what the filter names was left out. @throws GitError */
  fetchObjects(wants: Wants): Promise<{ readonly filtered: boolean }>;
  /** `git fetch`. @throws GitError */
  fetch(args: readonly string[], options?: Options): Promise<void>;
  /** git in the scratch repository, which reaches nobody. @throws GitError */
  run(args: readonly string[], options?: Options): Promise<string>;
  stream(args: readonly string[], options?: Options): AsyncIterable<Uint8Array>;
  gitVersion(): Promise<string>;
  isShallow(): boolean;
  /** The same, but stopped by this signal too. */
  until(signal: AbortSignal): Remote;
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
  return openWith(openHost(repository, dirname(directory), signal, onProgress), directory, signal);
}

function openWith(host: Host, directory: string, signal: AbortSignal): Remote {
  const offline = (options: Options): GitOptions => ({
    directory,
    signal,
    redact: (text) => text,
    ...options,
  });
  const run = (args: readonly string[], options: Options = {}) => git(args, offline(options));
  const fetch = async (args: readonly string[], options: Options = {}) => {
    const always = ["--progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
    await git(["fetch", ...always, ...args], await host.reaching(offline(options)));
  };
  const packs = join(directory, "objects", "pack");
  return {
    host,
    directory,
    async reset() {
      await rm(directory, { recursive: true, force: true });
      await mkdir(packs, { recursive: true });
      await mkdir(join(directory, "refs"));
      await mkdir(join(directory, "worktree"));
      await writeFile(join(directory, "HEAD"), "ref: refs/heads/none\n");
      await writeFile(join(directory, "config"), "[core]\nrepositoryformatversion = 1\nbare = true\n");
    },
    async fetchObjects(wants) {
      if (await host.isModern()) {
        const { shallow, filtered } = await host.fetch(wants, offline({}));
        if (shallow.length > 0) await writeFile(join(directory, "shallow"), `${shallow.join("\n")}\n`);
        return { filtered };
      }
      const { want, have, depth, filter } = wants;
      let filtered = filter !== undefined;
      const args = [
        ...(depth === undefined ? [] : [`--depth=${depth}`]),
        ...(have === undefined ? [] : [`--negotiation-tip=${have}`]),
      ];
      await fetch([...args, "--stdin", "origin"], {
        config: filter === undefined ? [] : promisor(filter),
        input: `${want.join("\n")}\n`,
        onLine: (line) => {
          filtered &&= !line.includes("filtering not recognized");
        },
      });
      return { filtered };
    },
    fetch,
    run,
    stream: (args, options = {}) => stream(args, offline(options)),
    gitVersion: async () => {
      const text = await git(["version"], { ...offline({}), directory: dirname(directory) });
      return text.trim().replace(/^git version /, "");
    },
    isShallow: () => existsSync(join(directory, "shallow")),
    beside: (name) => openWith(host, join(dirname(directory), name), signal),
    until: (other) => openWith(host, directory, AbortSignal.any([signal, other])),
    async packBytes() {
      if (!existsSync(packs)) return 0;
      const names = (await readdir(packs)).filter((name) => name.endsWith(".pack"));
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(packs, name))).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
  };
}

/** Of a fetch that leaves something out; never written to disk, so that nothing fetches it later. */
const promisor = (filter: string): [string, string][] => [
  ["remote.origin.promisor", "true"],
  ["remote.origin.partialCloneFilter", filter],
];
