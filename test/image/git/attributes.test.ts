import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeAttributes } from "../../../image/git/attributes.ts";
import { openObjectReader } from "../../../image/git/objects.ts";
import { openScratchRepository } from "../../../image/git/scratch-repository.ts";
import { oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(30_000);
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
afterEach(() => testbed.reset());

/** Adds files to a commit by their paths, also such as no checkout can create. */
async function commitFiles(
  repository: Repository,
  files: readonly [mode: string, path: string, content: string][],
) {
  const lines: string[] = [];
  for (const [mode, path, content] of files) {
    const id = (await repository.gitBytes(["hash-object", "-w", "--stdin"], content)).toString().trim();
    lines.push(`${mode} ${id}\t${path}\0`);
  }
  const tree = await treeOf(
    repository,
    lines.map((line) => line.slice(0, -1)),
  );
  const parent = await repository.head();
  const commit = (await repository.gitBytes(["commit-tree", tree, "-p", parent, "-m", "odd"], ""))
    .toString()
    .trim();
  await repository.git("update-ref", "refs/heads/main", commit);
  return commit;
}

/** Writes trees by `mktree`, which allows every name. */
async function treeOf(repository: Repository, entries: readonly string[]): Promise<string> {
  const folders = new Map<string, string[]>();
  const lines: string[] = [];
  for (const entry of entries) {
    const [info = "", path = ""] = entry.split("\t");
    const slash = path.indexOf("/");
    if (slash < 0) lines.push(`${info.replace(" ", " blob ")}\t${path}\0`);
    else {
      const folder = path.slice(0, slash);
      folders.set(folder, [...(folders.get(folder) ?? []), `${info}\t${path.slice(slash + 1)}`]);
    }
  }
  for (const [folder, inside] of folders)
    lines.push(`040000 tree ${await treeOf(repository, inside)}\t${folder}\0`);
  return (await repository.gitBytes(["mktree", "-z"], lines.join(""))).toString().trim();
}

const text = "first\nsecond\n";
const attributes = "*.txt -diff\n";

test.each<[string, [mode: string, path: string, content: string][]]>([
  [
    "a symbolic link called .gitattributes beside a regular one",
    [
      ["100644", ".gitattributes", attributes],
      ["120000", "folder/.gitattributes", "../.gitattributes"],
      ["120000", "dangling/.gitattributes", "nowhere"],
      ["100644", "folder/a.txt", text],
    ],
  ],
  [
    "one below a folder name of more than 255 bytes",
    [
      ["100644", `${"x".repeat(300)}/.gitattributes`, attributes],
      ["100644", `${"x".repeat(300)}/a.txt`, text],
      ["100644", "b.txt", text],
    ],
  ],
  [
    "one below a folder called .git",
    [
      ["100644", ".git/.gitattributes", attributes],
      ["100644", ".git/a.txt", text],
      ["100644", "b.txt", text],
    ],
  ],
])("%s: the step is collected, and so is the next one", async (_, files) => {
  const repository = await testbed.repository(`odd-${files[0]?.[1].length}`);
  const from = await repository.head();
  const odd = await commitFiles(repository, files);
  const target = await testbed.target(repository, from);
  const first = await target.run({ SCHEDULED_TIME: "2026-01-03T00:00:00Z" });
  expect(first.events[0]).toMatchObject({ event: "collected", from, to: odd });
  const next = await commitFiles(repository, [["100644", "b.txt", `${text}third\n`]]);
  const second = await target.run({ SCHEDULED_TIME: "2026-01-04T00:00:00Z" });
  expect(second.events[0]).toMatchObject({ event: "collected", from: odd, to: next });
  // An ordinary checkout of the last commit works, so its diff is the oracle's.
  const right = await oracle(repository.path, odd, next);
  expect(Buffer.compare(await testbed.aws.body(target.bucket, second.events[0]?.diff), right)).toBe(0);
});

test("an attributes file that the host has left out is an error, as the diff would be another one", async () => {
  const scratch = openScratchRepository(join(testbed.root, "scratch"), new AbortController().signal);
  await scratch.reset();
  await using objects = openObjectReader(scratch);
  const files = [{ id: "1".repeat(40), path: ".gitattributes" }];
  await expect(writeAttributes(scratch, objects, files)).rejects.toMatchObject({ code: "host-damaged" });
  expect(await readdir(scratch.worktree)).toEqual([]);
});
