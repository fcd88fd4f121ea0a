import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { makeRepository, type Repository } from "../helpers/repository.ts";
import { type Ran, runWorker } from "../helpers/worker.ts";

/** A repository, and what the real worker has collected of it into a folder. */
export interface Collection extends AsyncDisposable {
  readonly repository: Repository;
  /** Where the worker is started. */
  readonly folder: string;
  /** Collects once, a minute after the last time. */
  collect(environment?: Record<string, string>): Promise<Ran>;
  verify(...args: string[]): Promise<Ran>;
  /** Where the diffs lie. */
  place(): Promise<string>;
  /** The diffs' names. */
  diffs(): Promise<string[]>;
  read(name: string): Promise<string>;
  write(name: string, text: string): Promise<void>;
  /** Rewrites a record. */
  // biome-ignore lint/suspicious/noExplicitAny: a test may put anything into a record
  amend(number: number, change: (record: any) => object): Promise<void>;
  remove(name: string): Promise<void>;
  /** The same again, to be damaged. */
  copy(): Promise<Collection>;
}

export const record = (number: number) => `_steps/${String(number).padStart(10, "0")}.json`;

export async function openCollection(): Promise<Collection> {
  const root = await mkdtemp(join(tmpdir(), "collection-"));
  const repository = await makeRepository({ path: join(root, "repository") });
  await mkdir(join(root, "collected"));
  return at(repository, join(root, "collected"), () => rm(root, { recursive: true, force: true }));
}

function at(repository: Repository, folder: string, close: () => Promise<void>): Collection {
  let minute = 0;
  const place = async () => {
    const [name = ""] = await readdir(join(folder, "git-diffs"));
    return join(folder, "git-diffs", name);
  };
  const path = async (name: string) => join(await place(), name);
  const read = async (name: string) => readFile(await path(name), "latin1");
  const write = async (name: string, text: string) => writeFile(await path(name), text, "latin1");
  const run = (args: string[], environment: Record<string, string> = {}) =>
    runWorker(environment, { cwd: folder, args: ["local", ...args, repository.path] });
  return {
    repository,
    folder,
    place,
    read,
    write,
    collect(environment = {}) {
      const SCHEDULED_TIME = new Date(Date.UTC(2026, 0, 1) + 60_000 * minute++).toISOString();
      return run([], { SCHEDULED_TIME, ...environment });
    },
    verify: (...args) => run(["verify", ...args]),
    diffs: async () => (await readdir(await place())).filter((name) => name.endsWith(".diff")).sort(),
    amend: async (number, change) =>
      write(record(number), JSON.stringify(change(JSON.parse(await read(record(number)))))),
    remove: async (name) => rm(await path(name)),
    async copy() {
      const other = await mkdtemp(join(tmpdir(), `${basename(folder)}-`));
      await cp(folder, other, { recursive: true });
      return at(repository, other, () => rm(other, { recursive: true, force: true }));
    },
    [Symbol.asyncDispose]: close,
  };
}
