import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderObjects } from "../../../image/stores/folder.ts";
import { openRowsFile, readRows } from "../../../image/tables/rows-file.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rows-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const hunk = (number: number) => ({
  ...{
    path: randomBytes(40).toString("hex"),
    old_start: number,
    old_lines: 1,
    new_start: number,
    new_lines: 1,
  },
});

test.each([
  ["few rows", 1, 10],
  ["rows that do not fit in memory", 5, 10_000],
])("%s are read as they were written, also after an attempt that was given up", async (_, portions, size) => {
  const [path, objects] = [join(root, "rows"), folderObjects(join(root, `${portions}`))];
  const written = Array.from({ length: portions }, () =>
    Array.from({ length: size }, (_, index) => hunk(index)),
  );
  const write = async () => {
    const file = openRowsFile(path, true);
    for (const rows of written) await file.write(rows.map((row) => ({ table: "hunks", row })));
    return file;
  };
  await write();
  const facts = await (await write()).store(objects, 7);
  expect(facts).toMatchObject({ commits: 0, files: 0, hunks: portions * size });
  expect((await readFile(join(root, `${portions}`, facts.name))).length).toBe(facts.bytes);
  expect((await Array.fromAsync(readRows(objects, facts))).flatMap(({ hunks }) => hunks)).toEqual(
    written.flat(),
  );
});
