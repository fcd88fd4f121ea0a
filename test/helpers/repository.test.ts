import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { git } from "./git.ts";
import { EMPTY_TREE, makeRepository, oracle } from "./repository.ts";

const latin1 = Buffer.from('caf\xe9 "quoted"\n/n\xe4me', "latin1");

test("the same history has the same ids", async () => {
  const ids = await Promise.all(
    [1, 2].map(async () => {
      await using repository = await makeRepository();
      await repository.write("a", "1");
      await repository.commit("First");
      return await repository.commit("Nothing", { date: new Date("2024-06-06T21:37:00Z") });
    }),
  );
  expect(ids[0]).toBe(ids[1] ?? "");
});

test("dates are the ones asked for, and grow", async () => {
  await using repository = await makeRepository({ start: new Date("2020-01-01T00:00:00Z") });
  await repository.commit();
  await repository.commit();
  await repository.commit("Later", { date: new Date("2024-06-06T21:37:00Z") });
  const dates = (await repository.git("log", "--format=%ct", "--reverse")).split("\n").map(Number);
  expect(dates[0]).toBe(1577836800);
  expect(dates[2]).toBe(1717709820);
  expect(dates).toEqual(dates.toSorted((one, other) => one - other));
});

test("every kind of entry, under any name", async () => {
  await using repository = await makeRepository();
  await repository.write(latin1, "one");
  await repository.write("dir/tool", "run", { mode: 0o755 });
  await repository.write(".gitignore", "ignored\n");
  await repository.write("ignored", "and yet here");
  await repository.symlink("link", latin1);
  await repository.submodule("lib/sub", "1".repeat(40));
  const first = await repository.commit();
  const tree = Buffer.from(await repository.gitBytes(["ls-tree", "-r", "-z", "--full-tree", "HEAD"]));
  const entries = tree.toString("latin1").split("\0").filter(Boolean);
  expect(entries.map((entry) => entry.replace(/ \w+ \w{40}\t/, " "))).toEqual([
    "100644 .gitignore",
    `100644 ${latin1.toString("latin1")}`,
    "100755 dir/tool",
    "100644 ignored",
    "160000 lib/sub",
    "120000 link",
  ]);

  await repository.remove(latin1);
  await repository.submodule("lib/sub", "2".repeat(40));
  const second = await repository.commit();
  expect(await repository.head()).toBe(second);
  const names = await repository.git("diff", "--name-status", first, second);
  expect(names.split("\n").length).toBe(2);
  expect(names).toContain("M\tlib/sub");
});

test("the oracle goes by the attributes of the newer commit", async () => {
  await using repository = await makeRepository();
  await repository.write("file.txt", "one\n");
  const first = await repository.commit();
  await repository.write("file.txt", "two\n");
  const second = await repository.commit();
  await repository.write(".gitattributes", "*.txt -diff\n");
  const third = await repository.commit();
  expect(Buffer.from(await oracle(repository.path, first, second)).toString()).toContain("\n-one\n+two\n");
  expect(Buffer.from(await oracle(repository.path, first, third)).toString()).toContain("Binary files");
  expect(Buffer.from(await oracle(repository.path, second, first)).toString()).toContain("\n-two\n+one\n");
});

test("the oracle's baseline, and a commit that no branch shows", async () => {
  await using repository = await makeRepository();
  await repository.write("a", "kept\n");
  const first = await repository.commit();
  await repository.write("a", "lost\n");
  const lost = await repository.commit();
  await repository.git("reset", "--quiet", "--hard", first);
  await repository.git("reflog", "expire", "--expire=now", "--all");
  await repository.write("b", "new\n");
  const second = await repository.commit();
  const all = await repository.gitBytes(["diff", "--full-index", EMPTY_TREE, second]);
  expect(Buffer.compare(await oracle(repository.path, null, second), all)).toBe(0);
  expect(Buffer.from(await oracle(repository.path, lost, second)).toString()).toContain("-lost\n+kept\n");

  await using bare = await makeRepository();
  await git(["clone", "--quiet", "--bare", repository.path, `${bare.path}/bare.git`]);
  expect(
    Buffer.compare(
      await oracle(`${bare.path}/bare.git`, first, second),
      await oracle(repository.path, first, second),
    ),
  ).toBe(0);
});

test("git fails with what it said, and close() leaves nothing", async () => {
  const repository = await makeRepository();
  await expect(repository.git("rev-parse", "nowhere")).rejects.toThrow("unknown revision");
  await repository.close();
  expect(existsSync(repository.path)).toBe(false);
});
