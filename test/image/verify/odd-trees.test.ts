import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EMPTY_TREE, makeRepository, type Repository } from "../../fixtures/repository.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);
let folder: string;
let repository: Repository;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "odd-"));
  repository = await makeRepository({ path: join(folder, "odd") });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Entry = readonly [mode: string, name: string, id: string];

/** Writes a tree byte by byte, with modes that git itself does not write. */
async function writeTree(entries: readonly Entry[]): Promise<string> {
  const bytes = entries.flatMap(([mode, name, id]) => [
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(id, "hex"),
  ]);
  const args = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
  return (await repository.gitBytes(args, Buffer.concat(bytes))).toString().trim();
}
const writeBlob = async (text: string) =>
  (await repository.gitBytes(["hash-object", "-w", "--stdin"], text)).toString().trim();
async function commitTree(tree: string): Promise<void> {
  const parents = await repository.head().then(
    (head) => ["-p", head],
    () => [],
  );
  const commit = (await repository.gitBytes(["commit-tree", tree, ...parents, "-m", "odd"], ""))
    .toString()
    .trim();
  await repository.git("update-ref", "refs/heads/main", commit);
}
const local = (...args: string[]) =>
  runWorker({}, { cwd: folder, args: ["local", ...args, repository.path] });

test("old trees that git would not write today are replayed, and noted", async () => {
  const trees: (() => Promise<Entry[]>)[] = [
    // Mode 100664.
    async () => [["100664", "file", await writeBlob("one\n")]],
    // A folder's mode with a zero in front.
    async () => [
      ["100664", "file", await writeBlob("two\n")],
      ["040000", "folder", await writeTree([["100644", "inner", await writeBlob("inner\n")]])],
    ],
    // An empty folder.
    async () => [
      ["40000", "empty", EMPTY_TREE],
      ["100644", "file", await writeBlob("three\n")],
    ],
    // An ordinary tree.
    async () => [["100644", "file", await writeBlob("four\n")]],
    // And a large one, whose last entry is odd.
    async () => {
      const blob = await writeBlob("five\n");
      const names = Array.from({ length: 5_000 }, (_, index) => `file-${10_000 + index}`);
      return [...names.map((name) => ["100644", name, blob] as const), ["100664", "odd", blob]];
    },
  ];
  await repository.gitBytes(["hash-object", "-t", "tree", "-w", "--stdin"], "");
  for (const tree of trees) {
    await commitTree(await writeTree(await tree()));
    const { events } = await local();
    expect(events[0]).toMatchObject({ event: "collected" });
  }
  const { status, events } = await local("verify", "--replay");
  expect(events.map(({ event, code }) => code ?? event)).toEqual([
    "tree-not-canonical",
    "verified",
    "summary",
  ]);
  expect(events.at(-2)).toMatchObject({ holds: true, replayed: 5, notes: 1 });
  expect(status).toBe(0);

  const results = join(folder, "git-diffs", (await readdir(join(folder, "git-diffs")))[0] ?? "");
  const records = await Promise.all(
    [1, 2, 3, 4, 5].map(async (number) =>
      JSON.parse(await readFile(join(results, `_steps/000000000${number}.json`), "utf8")),
    ),
  );
  expect(records.map(({ toTree, replayTree }) => replayTree !== null && replayTree !== toTree)).toEqual([
    true,
    true,
    true,
    false,
    true,
  ]);

  // A real difference is still found.
  const [, record] = records;
  await writeFile(
    join(results, "_steps/0000000002.json"),
    JSON.stringify({ ...record, replayTree: records[2].replayTree }),
  );
  const damaged = await local("verify", "--replay");
  expect(damaged.status).toBe(1);
  expect(damaged.events.map(({ code }) => code)).toContain("replay-differs");
});
