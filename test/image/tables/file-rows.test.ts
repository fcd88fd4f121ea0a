import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diffOptions } from "../../../image/diff/diff.ts";
import { everyChange } from "../../fixtures/every-change.ts";
import { compareFileRows, fileRows } from "../../fixtures/file-rows.ts";
import { makeRandomRepository, seededRandom } from "../../fixtures/random-repository.ts";
import { makeRepository } from "../../fixtures/repository.ts";

test("the rows of every kind of change are what git says", async () => {
  await using repository = await makeRepository();
  const ids: string[] = [];
  for (const change of everyChange) {
    await change(repository);
    ids.push(await repository.commit());
  }
  let rows = 0;
  for (const [from, to] of ids.map((id, index) => [ids[index - 1], id]))
    if (from && to) rows += await compareFileRows(repository.path, from, to);
  expect(rows).toBeGreaterThan(50);
});

test("the rows do not depend on how the diff comes in chunks", async () => {
  await using repository = await makeRepository();
  for (const change of everyChange.slice(0, 2)) {
    await change(repository);
    await repository.commit();
  }
  const diff = await repository.gitBytes(["diff", ...diffOptions, "HEAD~", "HEAD"]);
  const whole = fileRows(diff);
  for (const size of [1, 7, 1_000]) expect(fileRows(diff, size)).toEqual(whole);
});

test.each([1, 2, 3])("the rows of random history %d are what git says", async (seed) => {
  const folder = await mkdtemp(join(tmpdir(), "file-rows-"));
  const { repository, advance } = await makeRandomRepository(join(folder, "random"), seededRandom(seed));
  let before = await repository.head();
  for (let step = 0; step < 8; step++) {
    await advance();
    const now = await repository.head();
    // A history that was rewritten may have lost the commit before.
    const isThere = (await repository.git("cat-file", "--batch-check", "--batch-all-objects")).includes(
      before,
    );
    if (isThere) await compareFileRows(repository.path, before, now);
    before = now;
  }
  await rm(folder, { recursive: true });
});
