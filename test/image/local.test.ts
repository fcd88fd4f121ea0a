import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { readLocalRepositories } from "../../image/config/local-repositories.ts";
import { type Host, startHost } from "../fixtures/git-host.ts";
import { EMPTY_TREE, makeRepository, oracle, type Repository } from "../fixtures/repository.ts";
import { runWorker } from "../fixtures/worker.ts";

setDefaultTimeout(30_000);
let root: string;
let host: Host;
let checkout: Repository;
let served: Repository;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "local-")));
  host = await startHost(root);
});
afterAll(async () => {
  await host.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  host.reset();
  const folder = await mkdtemp(join(root, "test-"));
  [checkout, served] = (await Promise.all(
    ["checkout", "served"].map(async (name) => {
      const repository = await makeRepository({ path: join(folder, name) });
      await repository.write("file", "one\n");
      await repository.write(".gitignore", "git-diffs/\n");
      await repository.commit();
      return repository;
    }),
  )) as [Repository, Repository];
});

const local = (args: string[] = [], environment: Record<string, string> = {}, cwd = checkout.path) =>
  runWorker(environment, { args: ["local", ...args], cwd });
const urlOf = ({ path }: Repository) => host.url(path.slice(root.length + 1));

/** Returns the files below git-diffs/, by path. */
async function kept(folder = checkout.path): Promise<Map<string, Buffer>> {
  const below = join(folder, "git-diffs");
  const entries = await readdir(below, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(path)] as const)));
}
const diffsIn = (files: Map<string, Buffer>) => [...files.keys()].filter((path) => path.endsWith(".diff"));
const cursorsIn = (files: Map<string, Buffer>) =>
  [...files].filter(([path]) => path.endsWith("/cursor")).map(([, content]) => content.toString());

test("--help prints the usage and collects nothing", async () => {
  for (const args of [["--help"], ["-h"], ["anything", "--help"]]) {
    const ran = await local(args);
    expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
    expect(ran.stdout).toStartWith("Usage: npm start -- [REPO...]\n");
    for (const word of ["GIT_BRANCH", "GIT_HTTP_CREDENTIALS", "git-diffs/", "Exit status"])
      expect(ran.stdout).toContain(word);
  }
  expect(await kept()).toEqual(new Map());
});

test("this checkout: everything, then nothing, then what was committed since", async () => {
  const first = await checkout.head();
  const baseline = await local();
  expect(baseline).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(baseline.events.map(({ event }) => event)).toEqual(["collected", "summary"]);
  expect(baseline.events[0]).toMatchObject({
    ...{ kind: "baseline", from: EMPTY_TREE, to: first },
    ...{ files: 2, linesAdded: 2, linesRemoved: 0 },
  });
  const { storedAt } = baseline.events[0] ?? { storedAt: "" };
  const right = Buffer.from(await oracle(checkout.path, null, first));
  const before = await kept();
  expect(diffsIn(before)).toEqual([storedAt]);
  expect(before.get(storedAt)?.equals(right)).toBe(true);
  expect(cursorsIn(before)).toEqual([`${first}\n`]);

  const again = await local();
  expect(again.events.map(({ event }) => event)).toEqual(["unchanged", "summary"]);
  expect(await kept()).toEqual(before);

  await checkout.write("file", "one\ntwo\n");
  await checkout.git("commit", "--quiet", "--all", "-m", "Change");
  const second = await checkout.head();
  const change = await local();
  const facts = { kind: "change", from: first, to: second, commits: 1, files: 1, linesAdded: 1 };
  expect(change.events[0]).toMatchObject({ event: "collected", ...facts });
  const after = await kept();
  expect(diffsIn(after)).toHaveLength(2);
  const diff = Buffer.from(await oracle(checkout.path, first, second));
  expect(after.get(change.events[0]?.storedAt)?.equals(diff)).toBe(true);
  expect(cursorsIn(after)).toEqual([`${second}\n`]);
  const record = change.events[0]?.storedAt.replace(/[^/]*$/, "_steps/0000000002.json");
  expect(JSON.parse(String(after.get(record)))).toMatchObject(facts);
});

test("several at once, by URL and by path, each in a place of its own", async () => {
  const ran = await local([urlOf(served), checkout.path]);
  expect(ran.status).toBe(0);
  const files = await kept();
  expect(diffsIn(files)).toHaveLength(2);
  expect(diffsIn(files).join()).toContain(`127.0.0.1:${host.port}`);
  for (const repository of [served, checkout]) {
    const url = repository === served ? urlOf(served) : `file://${checkout.path}`;
    const { storedAt } = ran.events.find((event) => event.repository === url) ?? { storedAt: "" };
    const right = await oracle(repository.path, null, await repository.head());
    expect(files.get(storedAt)?.equals(right)).toBe(true);
  }
});

test("one that is no repository fails alone", async () => {
  const folder = join(root, "no-repository");
  await mkdir(folder, { recursive: true });
  const ran = await local([folder, urlOf(served)]);
  expect(ran.status).toBe(1);
  expect(ran.events.find(({ event }) => event === "failed")).toMatchObject({ code: "git-not-found" });
  expect(ran.events.at(-1)).toMatchObject({ event: "summary", collected: 1, failed: [folder] });
  expect(diffsIn(await kept())).toHaveLength(1);
});

test.each<[string[], Record<string, string>, string]>([
  [["/no/such/folder"], {}, "/no/such/folder is neither an https:// URL nor a folder"],
  [["--force"], {}, "--force is not an option"],
  [["ssh://git@host.example/api.git"], {}, "https://host.example/api.git"],
  [["https://user:secret@host.example/api.git"], {}, "contains a password"],
  [["https://a.example/x", "https://a.example/x/"], {}, "twice"],
  [
    ["https://a.example/x", "https://b.example/x"],
    { GIT_HTTP_CREDENTIALS: "u:secret" },
    "one host at a time",
  ],
  [["https://a.example/x"], { GIT_HTTP_CREDENTIALS: "secret" }, "user:password"],
  [[], { CONCURRENCY: "none" }, "CONCURRENCY"],
])("wrong arguments: %j %j", async (args, environment, problem) => {
  const ran = await local(args, environment);
  expect(ran.status).toBe(2);
  expect(ran.events).toMatchObject([{ event: "failed", code: "configuration" }]);
  expect(ran.events[0]?.problems.join("\n")).toContain(problem);
  expect(ran.stdout).not.toContain("secret");
  expect(await kept()).toEqual(new Map());
});

describe("readLocalRepositories", () => {
  const read = (args: string[], environment = {}) => readLocalRepositories(args, environment, checkout.path);

  test("takes a relative path from where npm was called", () => {
    const [repository] = read(["served"], { INIT_CWD: join(served.path, "..") });
    expect(repository?.location).toEqual({ url: `file://${served.path}`, transport: "file" });
    expect(repository?.destination).toStartWith(join(checkout.path, "git-diffs/served-"));
  });

  test("gives credentials to URLs, never to paths", () => {
    const GIT_HTTP_CREDENTIALS = "user:password";
    const repositories = read(["https://a.example/x", served.path], { GIT_HTTP_CREDENTIALS });
    expect(repositories.map(({ credentials }) => credentials)).toEqual([
      { user: "user", password: "password" },
      undefined,
    ]);
  });

  test("keeps branches, hosts and folders of one name apart", () => {
    const all = [
      ...read(["https://a.example/x.git", "https://b.example/x.git", served.path, checkout.path]),
      ...read(["https://a.example/x.git"], { GIT_BRANCH: "a/b" }),
      ...read(["https://a.example/x.git"], { GIT_BRANCH: "a-b" }),
    ];
    expect(new Set(all.map(({ destination }) => destination)).size).toBe(all.length);
  });
});

test("in a terminal: progress while it works, then readable lines, and no JSON", async () => {
  host.options.delayMs = 150;
  await served.write("more", Buffer.alloc(3_000_000, "All work and no play.\n"));
  await served.commit();
  const worker = join(import.meta.dirname, "../../image/main.ts");
  const command = `stty rows 40 columns 200; ${process.execPath} ${worker} local ${urlOf(served)} /no-such/../${checkout.path}`;
  const terminal = spawn("script", ["-qec", command, "/dev/null"], {
    cwd: checkout.path,
    env: { PATH: process.env.PATH, HOME: root, TMPDIR: root, TERM: "xterm" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const chunk of terminal.stdout) text += chunk;
  text = stripVTControlCharacters(text);
  const head = await served.head();
  expect(text).not.toContain('{"');
  expect(text).toMatch(/(Receiving|Counting|Enumerating|Compressing) objects:? +\d+/);
  expect(text).toContain(`✓ ${urlOf(served)}`);
  expect(text).toContain(`baseline from the empty tree to ${head}`);
  expect(text).toMatch(/3 files, \d+ lines added, 0 removed, \d+ bytes/);
  expect(text.trimEnd()).toMatch(/2 repositories in \d+\.\d s: 2 collected$/);
  expect(diffsIn(await kept())).toHaveLength(2);
});

test("on Windows there is one sentence instead", async () => {
  const preload = join(checkout.path, "windows.ts");
  await writeFile(preload, 'Object.defineProperty(process, "platform", { value: "win32" });\n');
  const { status, events, stderr } = await local([], { BUN_OPTIONS: `--preload=${preload}` });
  expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
  expect(events).toMatchObject([{ code: "configuration", problems: [expect.stringContaining("WSL")] }]);
  expect(await kept()).toEqual(new Map());
});
