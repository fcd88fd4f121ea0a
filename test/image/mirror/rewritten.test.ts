import { expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openStoredIndex, type PackIndex } from "../../../image/git/pack-index.ts";
import { type Ancestry, descends } from "../../../image/mirror/descent.ts";
import { storedObjects } from "../../../image/mirror/stored-objects.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import { git } from "../../fixtures/git.ts";
import { makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { seededRandom } from "../../fixtures/random-repository.ts";
import { makeRepository } from "../../fixtures/repository.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(120_000);

test("each ref that loses something is reported, and no other", async () => {
  await using mirrored = await makeMirroredRepository();
  const { repository, run } = mirrored;
  const { git } = repository;
  const commit = async () => {
    await repository.write("file", `${Math.random()}\n`);
    return repository.commit();
  };
  const step = async () => {
    const outcome = await run();
    const [{ rewritten, undecided } = {}] = "steps" in outcome ? outcome.steps : [];
    expect(undecided).toBeUndefined();
    return rewritten;
  };
  await commit();
  await commit();
  await git("checkout", "--quiet", "-b", "topic");
  const topic = await commit();
  await git("tag", "-a", "-m", "tag", "tag");
  expect(await step()).toBeUndefined();
  // Forward by new commits, a merge, and to where another branch is.
  await commit();
  await git("checkout", "--quiet", "main");
  await git("merge", "--quiet", "--no-ff", "--no-edit", topic);
  expect(await step()).toBeUndefined();
  await git("merge", "--quiet", "-X", "ours", "--no-edit", "topic");
  expect(await step()).toBeUndefined();
  await git("branch", "-f", "topic", "main");
  expect(await step()).toBeUndefined();
  // Back, to a sibling, and to an unrelated history.
  await git("branch", "-f", "topic", "main~1");
  expect(await step()).toEqual(["refs/heads/topic"]);
  await git("branch", "-f", "topic", "main");
  expect(await step()).toBeUndefined();
  await git("reset", "--quiet", "--hard", "HEAD~1");
  await commit();
  expect(await step()).toEqual(["refs/heads/main"]);
  await git("checkout", "--quiet", "--orphan", "other");
  const unrelated = await commit();
  await git("update-ref", "refs/heads/topic", unrelated);
  await git("tag", "-f", "tag", "main");
  expect(await step()).toEqual(["refs/heads/topic", "refs/tags/tag"]);
  // The host has lost the old commits by now.
  await git("reflog", "expire", "--expire=now", "--all");
  await git("gc", "--quiet", "--prune=now");
  await git("update-ref", "refs/heads/main", unrelated);
  expect(await step()).toEqual(["refs/heads/main"]);
  await mirrored.expectEqual();
});

test("by the worker, as events", async () => {
  await using mirrored = await makeMirroredRepository();
  const { repository, root } = mirrored;
  const worker = () => runWorker({}, { args: ["local", "mirror", repository.path], cwd: root });
  const old = await repository.commit();
  await repository.git("branch", "gone");
  await repository.git("branch", "kept");
  expect((await worker()).events.map(({ event }) => event)).toEqual(["mirrored", "summary"]);
  await repository.git("checkout", "--quiet", "--orphan", "other");
  const now = await repository.commit("other");
  await repository.git("update-ref", "refs/heads/main", now);
  await repository.git("branch", "-D", "gone");
  const { events, status } = await worker();
  expect(status).toBe(0);
  expect(events.slice(0, -1)).toMatchObject([
    { event: "mirrored", number: 2, refs: 3, rewritten: ["refs/heads/main"] },
    { event: "ref-deleted", step: 2, ref: "refs/heads/gone", from: old },
    { event: "ref-rewritten", step: 2, ref: "refs/heads/main", from: old, to: now, certain: true },
  ]);
});

test("a refused ref is an event, a failure, and exit status 1", async () => {
  await using mirrored = await makeMirroredRepository();
  const { repository, root } = mirrored;
  await repository.commit();
  await repository.git("checkout", "--quiet", "-b", "broken");
  await repository.write("lost", "lost\n");
  await repository.commit();
  const lost = await repository.git("rev-parse", "HEAD:lost");
  await Bun.file(join(repository.path, ".git/objects", lost.slice(0, 2), lost.slice(2))).delete();
  await repository.git("symbolic-ref", "HEAD", "refs/heads/main");
  const { events, status } = await runWorker({}, { args: ["local", "mirror", repository.path], cwd: root });
  expect(status).toBe(1);
  expect(events).toMatchObject([
    { event: "mirrored", number: 1, refs: 1, refused: ["refs/heads/broken"] },
    { event: "failed", code: "ref-refused", message: expect.stringContaining("refs/heads/broken") },
    { event: "summary", mirrored: 0, failures: 1 },
  ]);
});

/** Makes a random history: each commit has parents among the earlier ones, and a date that may be wrong. */
function makeHistory(seed: number) {
  const random = seededRandom(seed);
  const history = new Map<string, Ancestry>();
  const ancestors = new Map<string, Set<string>>();
  for (let each = 0; each < 40; each++) {
    const known = [...history.keys()];
    const parents = new Set<string>();
    for (let count = each === 0 ? 0 : random(3); count > 0; count--)
      parents.add(known[Math.max(0, each - 1 - random(6))] ?? "");
    const date = random(4) === 0 ? random(60) : each;
    history.set(`${each}`, { parents: [...parents], date });
    ancestors.set(
      `${each}`,
      new Set([`${each}`, ...[...parents].flatMap((parent) => [...(ancestors.get(parent) ?? [])])]),
    );
  }
  return { history, ancestors };
}

test("whether a commit descends from another is right in random histories, also with wrong dates", async () => {
  let positive = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { history, ancestors } = makeHistory(seed);
    for (const from of history.keys()) {
      for (const to of history.keys()) {
        if (from === to) continue;
        const expected = ancestors.get(to)?.has(from) === true;
        if (expected) positive++;
        const found = await descends(async (id) => history.get(id), from, to);
        expect({ seed, from, to, found }).toEqual({ seed, from, to, found: expected });
        // With commits that cannot be read, it never guesses.
        const partly = await descends(
          async (id) => (Number(id) % 5 === 0 ? undefined : history.get(id)),
          from,
          to,
        );
        expect([expected, undefined]).toContain(partly);
      }
    }
  }
  expect(positive).toBeGreaterThan(1_000);
});

test.each([["--delta-base-offset"], ["--no-reuse-delta"]])(
  "every object of a pack (%s) is read as git reads it",
  async (option) => {
    await using repository = await makeRepository();
    const random = seededRandom(1);
    const lines = Array.from({ length: 3_000 }, (_, line) => `line ${line} ${random(1_000)}`);
    for (let each = 0; each < 30; each++) {
      lines[random(lines.length)] = `changed ${each}`;
      await repository.write("file", lines.join("\n"));
      await repository.write(`noise ${each}`, Buffer.from(Array.from({ length: 40_000 }, () => random(256))));
      await repository.commit(`commit ${each}`);
    }
    await repository.git("tag", "-a", "-m", "tag", "tag");
    const folder = join(repository.path, ".git/stored");
    await mkdir(join(folder, "objects/pack"), { recursive: true });
    const revisions = await repository.git("rev-list", "--objects", "--all", "--no-object-names");
    const ids = [...revisions.split("\n"), await repository.git("rev-parse", "tag")];
    const base = join(folder, "objects/pack/made");
    const made = await git(["pack-objects", "-q", option, base], {
      cwd: repository.path,
      input: `${ids.join("\n")}\n`,
    });
    const name = `pack-${made.toString().trim()}`;
    for (const ending of ["pack", "idx"])
      await copyFile(`${base}-${name.slice(5)}.${ending}`, join(folder, `objects/pack/${name}.${ending}`));
    const index = openStoredIndex(await readFile(join(folder, `objects/pack/${name}.idx`))) as PackIndex;
    const verified = await git(["verify-pack", "-v", join(folder, `objects/pack/${name}.idx`)]);
    expect(verified.toString()).toMatch(/chain length = /);
    const read = storedObjects(folderObjects(folder), [{ name, index }]);
    for (const id of new Set(ids)) {
      const type = (await repository.git("cat-file", "-t", id)) as "commit";
      const object = await read(id);
      expect(object?.type).toBe(type);
      const content = await git(["cat-file", type, id], { cwd: repository.path });
      expect(Buffer.compare(object?.content ?? Buffer.alloc(0), content)).toBe(0);
    }
    expect(await read("1".repeat(40))).toBeUndefined();
  },
);
