import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apply, changes } from "../../fixtures/changes.ts";
import { collectOnce as collectOf, firstRecords, latin1 } from "../../fixtures/collect-once.ts";
import { tryGit } from "../../fixtures/git.ts";
import type { HostOptions } from "../../fixtures/git-host.ts";
import { makeRepository, oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// The computer may be busy.
setDefaultTimeout(60_000);

let testbed: Testbed;
let repository: Repository;
let [before, after] = ["", ""];
const collect = (from: string | null, environment?: Record<string, string>) =>
  collectOf(testbed, repository, from, environment);

beforeAll(async () => {
  testbed = await openTestbed();
  repository = await makeRepository({ path: join(testbed.root, "work") });
  for (const each of Object.values(changes)) {
    await apply(repository, each.before);
    await each.prepare?.(repository);
  }
  before = await repository.commit("Before");
  await repository.git("checkout", "--quiet", "-b", "topic");
  await repository.write("merged", "from the topic\n");
  await repository.commit("Topic");
  await repository.git("checkout", "--quiet", "main");
  for (const each of Object.values(changes)) {
    await apply(repository, each.after);
    await each.change?.(repository);
  }
  await repository.commit("After");
  await repository.git("merge", "--quiet", "--no-ff", "topic");
  after = await repository.head();
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

describe("every kind of change", () => {
  let collected: Awaited<ReturnType<typeof collect>>;
  let right: Uint8Array;
  beforeAll(async () => {
    [collected, right] = await Promise.all([collect(before), oracle(repository.path, before, after)]);
  });

  test("is stored as an ordinary clone shows it, to the byte", () => {
    expect(collected.diff).toBe(latin1(right));
    const name = `2026-01-02-0304_${before.slice(0, 7)}-${after.slice(0, 7)}`;
    expect(collected.names).toEqual([`${name}.diff`, ...firstRecords]);
  });

  test.each(Object.entries(changes).map(([name, { shows }]) => [name, shows]))("is there: %s", (_, shows) => {
    expect(collected.diff).toContain(shows);
  });

  test("is counted as git counts it", async () => {
    const summary = async (how: string) =>
      latin1(
        await repository.gitBytes(["diff", "--find-renames", "--ignore-submodules=none", how, before, after]),
      );
    const rows = (await summary("--numstat"))
      .trim()
      .split("\n")
      .map((line) => line.split("\t"));
    const sum = (column: number) => rows.reduce((total, row) => total + (Number(row[column]) || 0), 0);
    expect(collected.record).toMatchObject({
      strategy: "blobless",
      files: rows.length,
      linesAdded: sum(0),
      linesRemoved: sum(1),
      binaryFiles: rows.filter(([added]) => added === "-").length,
      bytes: right.length,
      sha256: createHash("sha256").update(right).digest("hex"),
    });
  });
});

test("a baseline has every file as an ordinary clone shows it against nothing", async () => {
  const { diff, record } = await collect(null);
  expect(diff).toBe(latin1(await oracle(repository.path, null, after)));
  expect(record).toMatchObject({ kind: "baseline", linesRemoved: 0, bytes: diff?.length });
});

const hosts: [how: string, Partial<HostOptions>, strategy: string][] = [
  ["no filter", { filter: false }, "shallow"],
  ["a filter, protocol 0", { protocol: 0 }, "blobless"],
  ["no unadvertised commits", { protocol: 0, unadvertised: false }, "deepened"],
  ["no depth", { depth: "unsupported" }, "full"],
];
test.each(hosts)("the bytes are the same from a host with %s", async (_, options, strategy) => {
  Object.assign(testbed.host.options, options);
  const { diff, record } = await collect(before);
  expect(record.strategy).toBe(strategy);
  expect(diff).toBe(latin1(await oracle(repository.path, before, after)));
});

test("a change and its revert leave no diff, and the cursor goes on", async () => {
  await repository.git("checkout", "--quiet", "-b", "back", after);
  await repository.write("text", "for a while\n");
  await repository.commit("Change");
  await repository.git("revert", "--no-edit", "HEAD");
  const head = await repository.head();
  await repository.git("checkout", "--quiet", "main");
  const { names, record, cursor } = await collect(after, { GIT_BRANCH: "back" });
  expect(names).toEqual(firstRecords);
  expect(record).toMatchObject({ diff: null, bytes: 0, files: 0, from: after, to: head, commits: 2 });
  expect(cursor?.value).toBe(head);
});

describe("a user's configuration", () => {
  let home: string;
  let marker: string;
  let hostile: Record<string, string>;
  beforeAll(async () => {
    home = join(testbed.root, "home");
    marker = join(testbed.root, "marker");
    const program = join(home, "hooks", "program");
    await mkdir(join(home, "hooks"), { recursive: true });
    await mkdir(join(home, "xdg", "git"), { recursive: true });
    for (const name of ["program", "post-checkout", "post-index-change", "reference-transaction"]) {
      await writeFile(join(home, "hooks", name), `#!/bin/sh\necho "$0" >> ${marker}\nexit 1\n`);
      await chmod(join(home, "hooks", name), 0o755);
    }
    await writeFile(
      join(home, ".gitconfig"),
      `[diff]\nexternal = ${program}\nnoprefix = true\nmnemonicPrefix = true\nrenames = false\nsubmodule = log
       context = 0\nalgorithm = patience\norderFile = ${join(home, "xdg/git/attributes")}\nsuppressBlankEmpty = true
       [core]\npager = ${program}\nfsmonitor = ${program}\nhooksPath = ${join(home, "hooks")}\nquotePath = false
       attributesFile = ${join(home, "xdg/git/attributes")}\nabbrev = 5\n[color]\nui = always
       [alias]\ndiff = !${program}\nfetch = !${program}\n[credential]\nhelper = !${program}
       [transfer]\nfsckObjects = true\n[fetch]\nrecurseSubmodules = true\n[url "file:///nowhere/"]\ninsteadOf = ${testbed.host.origin}/`,
    );
    await writeFile(join(home, "xdg", "git", "attributes"), "text -diff\n");
    await writeFile(join(home, "xdg", "git", "config"), "[diff]\ncontext = 9\n");
    hostile = {
      HOME: home,
      XDG_CONFIG_HOME: join(home, "xdg"),
      GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
      GIT_CONFIG_SYSTEM: join(home, ".gitconfig"),
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "diff.context",
      GIT_CONFIG_VALUE_0: "7",
      GIT_CONFIG_PARAMETERS: "'diff.context=8'",
      GIT_EXTERNAL_DIFF: program,
      GIT_DIFF_OPTS: "--unified=1",
      GIT_PAGER: program,
      GIT_ASKPASS: program,
      GIT_DIR: join(repository.path, ".git"),
      GIT_WORK_TREE: repository.path,
      GIT_INDEX_FILE: join(home, "index"),
      GIT_OBJECT_DIRECTORY: join(home, "objects"),
      GIT_NAMESPACE: "elsewhere",
      GIT_PREFIX: "deep/",
      GIT_LITERAL_PATHSPECS: "1",
      GIT_ATTR_SOURCE: before,
      GIT_TRACE: join(testbed.root, "marker"),
    };
  });

  test("is one that misleads an ordinary git", async () => {
    const { GIT_OBJECT_DIRECTORY: _, GIT_TRACE: __, ...enough } = hostile;
    const { stdout } = await tryGit(["diff", before, after], { cwd: repository.path, env: enough });
    expect(latin1(stdout)).not.toBe(latin1(await oracle(repository.path, before, after)));
    expect(existsSync(marker)).toBe(true);
    await rm(marker);
  });

  test.each([true, false])(
    "does not change the bytes, and none of its programs runs (filter: %p)",
    async (filter) => {
      testbed.host.options.filter = filter;
      const { diff } = await collect(before, hostile);
      expect(diff).toBe(latin1(await oracle(repository.path, before, after)));
      expect(existsSync(marker)).toBe(false);
    },
  );
});
