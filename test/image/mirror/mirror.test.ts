import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import type { Repository } from "../../fixtures/repository.ts";

setDefaultTimeout(120_000);

const commit = async (repository: Repository, text: string) => {
  await repository.write(`file ${text}`, `${text}\n`);
  return repository.commit(text);
};

/** Everything that refs do, one after the other. */
const changes: [what: string, change: (repository: Repository) => Promise<unknown>][] = [
  [
    "many branches, and tags of every kind",
    async (repository) => {
      const { git } = repository;
      await commit(repository, "one");
      for (let each = 0; each < 40; each++) await git("branch", `branch/${each}`);
      await git("tag", "light");
      await git("tag", "-a", "-m", "annotated", "annotated");
      await git("tag", "-a", "-m", "of a tag", "nested", "annotated");
      await git("tag", "tree", "HEAD^{tree}");
      await git("tag", "-a", "-m", "of a tree", "tree-annotated", "HEAD^{tree}");
      await git("tag", "blob", "HEAD:file one");
      await git("tag", "-a", "-m", "of a blob", "blob-annotated", "HEAD:file one");
    },
  ],
  ["commits", (repository) => commit(repository, "two").then(() => commit(repository, "three"))],
  ["a new branch at an old commit", ({ git }) => git("branch", "old", "HEAD~2")],
  ["a tag of an old commit", ({ git }) => git("tag", "-a", "-m", "late", "late", "HEAD~1")],
  [
    "a force push",
    async (repository) => {
      await repository.git("reset", "--quiet", "--hard", "HEAD~2");
      await commit(repository, "other");
    },
  ],
  ["a moved tag", ({ git }) => git("tag", "-f", "-a", "-m", "moved", "annotated")],
  [
    "deletions",
    ({ git }) => git("branch", "-D", ...Array.from({ length: 20 }, (_, each) => `branch/${each}`)),
  ],
  ["a renamed branch", ({ git }) => git("branch", "-m", "branch/30", "renamed/branch")],
  ["a branch in place of a folder", ({ git }) => git("branch", "-m", "renamed/branch", "renamed")],
  ["a deleted branch that comes back", ({ git }) => git("branch", "branch/1", "old")],
  ["HEAD at another branch", ({ git }) => git("symbolic-ref", "HEAD", "refs/heads/old")],
  ["names in other languages", ({ git }) => git("branch", "ветка/ü", "main")],
  [
    "a name with ends of lines that only Unicode has",
    ({ git }) => git("branch", "line\u2028end\u2029", "main"),
  ],
  ["HEAD there", ({ git }) => git("symbolic-ref", "HEAD", "refs/heads/line\u2028end\u2029")],
  ["HEAD elsewhere again", ({ git }) => git("symbolic-ref", "HEAD", "refs/heads/old")],
  [
    "a detached HEAD at a commit of no branch",
    async (repository) => {
      await repository.git("checkout", "--quiet", "--detach", "main");
      await commit(repository, "detached");
    },
  ],
  ["HEAD at a branch again", ({ git }) => git("checkout", "--quiet", "main")],
  [
    "objects of a submodule",
    async (repository) => {
      await repository.submodule("module", "1".repeat(40));
      await repository.git("commit", "--quiet", "-m", "module");
    },
  ],
];

describe.each([2, 0] as const)("over protocol %i, a clone of the mirror is one of the host", (protocol) => {
  test("after each change of refs, and every earlier state stays", async () => {
    await using mirrored = await makeMirroredRepository({ protocol });
    const { repository, run, step } = mirrored;
    expect(await run()).toEqual({ status: "empty" });
    for (const [number, [what, change]] of changes.entries()) {
      await change(repository);
      const outcome = await step();
      expect({ what, ...outcome }).toMatchObject({ what, status: "mirrored" });
      expect("steps" in outcome && outcome.steps.map((each) => each.number)).toEqual([number + 1]);
      expect(await run()).toMatchObject({ status: "unchanged" });
    }
    // The host forgets what no ref leads to. The mirror does not.
    await repository.git("reflog", "expire", "--expire=now", "--all");
    await repository.git("gc", "--quiet", "--prune=now");
    await mirrored.expectEveryStepWhole();
  });
});

describe("what is there already", () => {
  /** The number of packs of the mirror. */
  const packs = async ({ objects }: MirroredRepository) =>
    (await Array.fromAsync(objects.list("objects/pack/"))).filter(({ name }) => name.endsWith(".pack"))
      .length;

  test("is not fetched again: a deleted branch comes back, a branch goes on to where another is", async () => {
    await using mirrored = await makeMirroredRepository();
    const { repository, host, step } = mirrored;
    await commit(repository, "one");
    await step();
    await repository.git("checkout", "--quiet", "-b", "topic");
    await commit(repository, "two");
    await step();
    await repository.git("checkout", "--quiet", "main");
    await repository.git("branch", "-D", "topic");
    await step();
    host.reset();
    await repository.git("branch", "again", "main@{0}");
    await repository.git("branch", "topic", "HEAD");
    await repository.git(
      "merge",
      "--quiet",
      "--ff-only",
      await mirrored.record(2).then(({ refs }) => refs[0][2]),
    );
    const outcome = await step();
    expect(outcome).toMatchObject({ steps: [{ pack: null, replaces: [] }] });
    expect(await packs(mirrored)).toBe(2);
    await mirrored.expectEveryStepWhole();
  });
});

describe("with more branches than are named to the host", () => {
  test("a new branch at HEAD brings what is new alone", async () => {
    await using mirrored = await makeMirroredRepository();
    const { repository, run } = mirrored;
    const first = await repository.commit();
    const commits = Array.from(
      { length: 1_001 },
      (_, each) => `commit refs/heads/a${each}\ncommitter A <a@b.c> ${each} +0000\ndata 0\nfrom ${first}\n`,
    );
    await repository.gitBytes(["fast-import", "--quiet"], commits.join(""));
    for (let count = 0; count < 10; count++) await repository.commit();
    await run();
    const id = await repository.git("commit-tree", "-p", "HEAD", "-m", "new", "HEAD^{tree}");
    await repository.git("branch", "new", id);
    expect(await run()).toMatchObject({ steps: [{ pack: { objects: 1 } }] });
  });
});

describe("a check that finds nothing new", () => {
  test("costs two requests to the host, also with 5,000 refs", async () => {
    await using mirrored = await makeMirroredRepository();
    const { repository, host, run } = mirrored;
    const id = await commit(repository, "one");
    const create = Array.from({ length: 5_000 }, (_, each) => `create refs/heads/branch-${each} ${id}\n`);
    await repository.gitBytes(["update-ref", "--stdin"], create.join(""));
    await run();
    host.reset();
    expect(await run()).toMatchObject({ status: "unchanged" });
    expect(host.requests.map(({ method, service }) => `${method} ${service}`)).toEqual([
      "GET git-upload-pack",
      "POST git-upload-pack",
    ]);
  });
});
