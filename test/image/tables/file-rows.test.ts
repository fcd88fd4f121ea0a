import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diffOptions } from "../../../image/diff/diff.ts";
import { everyChange } from "../../fixtures/every-change.ts";
import { fileRows, oracleRows } from "../../fixtures/file-rows.ts";
import { makeRandomRepository, seededRandom } from "../../fixtures/random-repository.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";

/** Compares the rows of a diff with what git says of it, but for what docs/tables.md says a diff does not show. */
async function compare(repository: Repository, from: string, to: string): Promise<number> {
  const diff = await repository.gitBytes(["diff", ...diffOptions, from, to]);
  const rows = fileRows(diff);
  const oracle = await oracleRows(repository.path, from, to);
  expect(rows.map(({ path }) => path)).toEqual(oracle.map(({ path }) => path));
  for (const [index, row] of rows.entries()) {
    const { added, removed, ...expected } = oracle[index] ?? { added: "", removed: "" };
    const hasContent = row.blob !== null || row.old_blob !== null;
    const shown = { ...expected, ...(!hasContent && { old_blob: null, blob: null }) };
    // A pure rename shows neither modes nor contents.
    if (!hasContent && row.mode === null) Object.assign(shown, { mode: null, old_mode: null });
    const { status, similarity, old_path, path, old_mode, mode, old_blob, blob } = row;
    expect({ status, similarity, old_path, path, old_mode, mode, old_blob, blob }).toEqual(shown as never);
    if (hasContent && status !== "T") {
      expect([row.lines_added ?? "-", row.lines_removed ?? "-"].map(String)).toEqual([added, removed]);
    }
    expect(row.position).toBe(index);
    const patch = Buffer.from(diff).subarray(row.patch_offset, row.patch_offset + row.patch_bytes);
    expect(patch.toString("latin1")).toStartWith("diff --git ");
    const next = rows[index + 1]?.patch_offset ?? diff.length;
    expect(row.patch_offset + row.patch_bytes).toBe(next);
    const [, ...after] = patch.toString("latin1").split("\ndiff --git ");
    expect(after.length).toBe(status === "T" ? 1 : 0);
  }
  return rows.length;
}

test("the rows of every kind of change are what git says", async () => {
  await using repository = await makeRepository();
  const ids: string[] = [];
  for (const change of everyChange) {
    await change(repository);
    ids.push(await repository.commit());
  }
  let rows = 0;
  for (const [from, to] of ids.map((id, index) => [ids[index - 1], id]))
    if (from && to) rows += await compare(repository, from, to);
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
    if (isThere) await compare(repository, before, now);
    before = now;
  }
  await rm(folder, { recursive: true });
});
