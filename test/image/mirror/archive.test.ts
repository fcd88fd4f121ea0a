import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { restore } from "../../../image/mirror/restore.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import type { ObjectStore } from "../../../image/stores/stores.ts";
import { exportDelta } from "../../../image/transfer/export.ts";
import { importDelta } from "../../../image/transfer/import.ts";
import { isProblem } from "../../../image/verify/finding.ts";
import { verifyMirror } from "../../../image/verify/verify-mirror.ts";
import { faultyStore } from "../../fixtures/faulty-store.ts";
import { git } from "../../fixtures/git.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";

setDefaultTimeout(120_000);

const { signal } = new AbortController();
const archiving = { repository: { archiveRefs: true } };

/** A mirror whose second step takes something from a branch, two tags and a deleted branch. */
async function makeRewritten() {
  const mirrored = await makeMirroredRepository();
  const { repository, run } = mirrored;
  const commit = async (text: string) => {
    await repository.write("file", `${text}\n`);
    return repository.commit();
  };
  await commit("first");
  const old = await commit("second");
  await repository.git("tag", "-m", "annotated", "annotated");
  await repository.git("tag", "light");
  await repository.git("branch", "gone");
  const tag = await repository.git("rev-parse", "annotated");
  expect(await run(archiving)).toMatchObject({ steps: [{ number: 1 }] });
  await repository.git("reset", "--quiet", "--hard", "HEAD~1");
  const now = await commit("other");
  await repository.git("tag", "-f", "light");
  await repository.git("tag", "-d", "annotated");
  await repository.git("branch", "-D", "gone");
  return { mirrored, commit, old, now, tag };
}

/** A commit that no branch has, which differs from all others. */
const treeCommit = async ({ git }: MirroredRepository["repository"], number: number) =>
  git("commit-tree", "-m", `${number}`, "HEAD^{tree}");

const archived = async ({ objects }: Pick<MirroredRepository, "objects">) =>
  [...((await objects.get("info/refs"))?.text ?? "").matchAll(/^(.{40})\trefs\/archive\/(.+)$/gm)].map(
    ([, id, name]) => `${name} ${id}`,
  );

async function expectHolds(objects: ObjectStore): Promise<void> {
  for (const replay of [false, true]) {
    const options = { replay, part: undefined, lockDays: undefined, signal, onProgress() {} };
    expect((await verifyMirror(objects, options)).findings.filter(isProblem)).toEqual([]);
  }
}

test("what is taken from refs is reached by plain git, although the host has lost it", async () => {
  const { mirrored, old, now, tag } = await makeRewritten();
  await using _ = mirrored;
  const { repository, run, objects, root, url, host } = mirrored;
  expect(await run(archiving)).toMatchObject({
    steps: [{ number: 2, rewritten: ["refs/heads/main", "refs/tags/light"] }],
  });
  await repository.git("reflog", "expire", "--expire=now", "--all");
  await repository.git("gc", "--quiet", "--prune=now");
  const kept = [
    `2/heads/gone ${old}`,
    `2/heads/main ${old}`,
    `2/tags/annotated ${tag}`,
    `2/tags/annotated^{} ${old}`,
    `2/tags/light ${old}`,
  ];
  expect(await archived(mirrored)).toEqual(kept);
  const clone = join(root, "clone.git");
  await git(["clone", "--quiet", "--mirror", url, clone]);
  await git(["fsck", "--strict"], { cwd: clone });
  expect((await git(["show", "refs/archive/2/heads/main:file"], { cwd: clone })).toString()).toBe("second\n");
  expect((await git(["rev-parse", "HEAD"], { cwd: clone })).toString().trim()).toBe(now);
  await expectHolds(objects);

  // Nothing new costs what it costs without an archive.
  const reads: string[] = [];
  const counting: ObjectStore = {
    ...objects,
    get(name) {
      reads.push(name);
      return objects.get(name);
    },
    async *list(...args) {
      reads.push("list");
      yield* objects.list(...args);
    },
  };
  host.reset();
  expect(await run({ ...archiving, objects: counting })).toMatchObject({ status: "unchanged" });
  expect(reads).toEqual(["cursor", "list"]);
  expect(host.requests).toHaveLength(2);
});

test("each time that something is taken is kept, also after the archive is turned off", async () => {
  const { mirrored, commit, old, now } = await makeRewritten();
  await using _ = mirrored;
  const { repository, run, objects } = mirrored;
  await run(archiving);
  await repository.git("reset", "--quiet", "--hard", "HEAD~1");
  await commit("third");
  await run(archiving);
  const kept = (await archived(mirrored)).filter((line) => line.includes("heads/main"));
  expect(kept).toEqual([`2/heads/main ${old}`, `3/heads/main ${now}`]);
  const before = await archived(mirrored);
  await repository.git("reset", "--quiet", "--hard", "HEAD~1");
  await commit("fourth");
  expect(await run()).toMatchObject({ steps: [{ number: 4, rewritten: ["refs/heads/main"] }] });
  expect(await run()).toMatchObject({ status: "unchanged" });
  expect(await archived(mirrored)).toEqual(before);
  await expectHolds(objects);
});

test("it is restored with its step, and carried to another place", async () => {
  const { mirrored } = await makeRewritten();
  await using _ = mirrored;
  const { run, objects, root } = mirrored;
  await run(archiving);
  for (const [step, count] of [
    [1, 0],
    [2, 4],
  ] as const) {
    const folder = join(root, `restored-${step}`);
    await restore(objects, folder, { step }, { signal, onProgress() {} });
    const refs = await git(["--git-dir", folder, "for-each-ref", "refs/archive/"]);
    expect(refs.toString().split("\n").filter(Boolean)).toHaveLength(count);
    await git(["--git-dir", folder, "fsck", "--strict"]);
  }
  const there = folderObjects(join(root, "there.git"));
  await importDelta((await exportDelta(objects, undefined)).content(), there, signal);
  expect(await archived({ objects: there })).toEqual(await archived(mirrored));
  await expectHolds(there);
});

test("refs of that name that are the host's own are mirrored like any others", async () => {
  await using mirrored = await makeMirroredRepository();
  const { repository, run, step } = mirrored;
  const all = { repository: { mirror: ["refs/heads/", "refs/archive/"] } };
  await repository.commit();
  await repository.git("update-ref", "refs/archive/old", "HEAD");
  expect(await step(all)).toMatchObject({ status: "mirrored", steps: [{ number: 1 }] });
  expect(await run(all)).toMatchObject({ status: "unchanged" });
  await repository.git("update-ref", "-d", "refs/archive/old");
  expect(await step(all)).toMatchObject({
    steps: [{ refs: [["refs/archive/old", expect.any(String), null, null]] }],
  });
  expect(await run(all)).toMatchObject({ status: "unchanged" });
});

test("many archived refs do not keep the host from knowing what is here", async () => {
  const { mirrored, commit } = await makeRewritten();
  await using _ = mirrored;
  const { repository, run, objects } = mirrored;
  for (let number = 0; number < 1_100; number++)
    await repository.gitBytes([
      "update-ref",
      `refs/heads/many-${number}`,
      await treeCommit(repository, number),
    ]);
  await run(archiving);
  for (let number = 0; number < 1_100; number++)
    await repository.git("update-ref", "-d", `refs/heads/many-${number}`);
  await repository.git("reflog", "expire", "--expire=now", "--all");
  await repository.git("gc", "--quiet", "--prune=now");
  await run(archiving);
  await repository.git("checkout", "--quiet", "-b", "new");
  await commit("new");
  // The commit, its tree and its file.
  expect(await run(archiving)).toMatchObject({ steps: [{ pack: { objects: 3 } }] });
  await expectHolds(objects);
});

test("ten runs at once archive the same, once", async () => {
  const { mirrored, old } = await makeRewritten();
  await using _ = mirrored;
  const runs = Array.from({ length: 10 }, () => mirrored.run({ ...archiving, isGone: false }));
  const outcomes = await Promise.all(runs);
  expect(outcomes.filter(({ status }) => status === "mirrored")).toHaveLength(1);
  expect(await archived(mirrored)).toHaveLength(5);
  expect(await archived(mirrored)).toContain(`2/heads/main ${old}`);
  await expectHolds(mirrored.objects);
});

describe("killed at a write, the next run keeps the same", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8].flatMap((write) => [`dies-before ${write}`, `dies-after ${write}`]))(
    "%s",
    async (fault) => {
      const { mirrored, old, tag } = await makeRewritten();
      await using _ = mirrored;
      const [how, at] = fault.split(" ");
      const objects = faultyStore(mirrored.objects, (write) =>
        write === Number(at) ? (how as "dies-before" | "dies-after") : undefined,
      );
      await mirrored.run({ ...archiving, objects }).catch(() => {});
      await mirrored.run(archiving);
      expect(await archived(mirrored)).toEqual([
        `2/heads/gone ${old}`,
        `2/heads/main ${old}`,
        `2/tags/annotated ${tag}`,
        `2/tags/annotated^{} ${old}`,
        `2/tags/light ${old}`,
      ]);
      await expectHolds(mirrored.objects);
    },
  );
});
