import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetMetadata } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { folderObjects } from "../../../image/stores/folder.ts";
import type { ObjectStore } from "../../../image/stores/stores.ts";
import { convert } from "../../../image/tables/parquet.ts";
import { parquetSchema } from "../../../image/tables/parquet-schema.ts";
import { readTable } from "../../../image/tables/read-table.ts";
import { tables } from "../../../image/tables/schema.ts";
import { updateTables } from "../../../image/tables/update.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { query } from "../../fixtures/duckdb.ts";
import { collectEveryChange } from "../../fixtures/every-change.ts";
import { Dead, faultyStore } from "../../fixtures/faulty-store.ts";

setDefaultTimeout(120_000);

let collected: CollectedRepository;
let root: string;
const days = ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "2026-02-03T00:00:00Z"];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tables-"));
  collected = await collectEveryChange((run) => ({ SCHEDULED_TIME: days[run] ?? "", TABLES_HUNKS: "true" }), {
    tables: true,
  });
});
afterAll(async () => {
  await collected?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** Adds the collected steps to the tables in a store, as a run does. */
async function update(store: ObjectStore, names = ["one", "two"], hunks = true): Promise<void> {
  const objects = folderObjects(await collected.destination());
  const repositories = names.map((name) => ({ name, objects, keyOf: (key: string) => `${name}/${key}` }));
  await updateTables(store, "daily", repositories, { hunks });
}

let folders = 0;
const newFolder = async () => {
  const folder = join(root, String(folders++));
  await mkdir(folder);
  return folder;
};

/** Everything that is in the tables. */
const content = (folder: string) =>
  Promise.all(
    ["steps", "commits", "files", "hunks"].map((table) =>
      query(folder, `SELECT * FROM TABLE(${table}) ORDER BY ALL`),
    ),
  );

test("each step is in the month of the day that it closes, with its rows", async () => {
  const folder = join(collected.folder, "git-diffs/tables");
  expect(await query(folder, "SELECT month, day, kind, files FROM TABLE(steps) ORDER BY number")).toEqual([
    { month: "2026-01", day: "2026-01-30", kind: "baseline", files: expect.any(Number) },
    { month: "2026-01", day: "2026-01-31", kind: "change", files: expect.any(Number) },
    { month: "2026-02", day: "2026-02-01", kind: "change", files: expect.any(Number) },
    { month: "2026-02", day: "2026-02-02", kind: "change", files: expect.any(Number) },
  ]);
  const differing = `SELECT number FROM TABLE(steps) JOIN
    (SELECT number, count(*) n, sum(is_binary::int) b, coalesce(sum(lines_added), 0) a, coalesce(sum(lines_removed), 0) r
     FROM TABLE(files) GROUP BY number) USING (number)
    WHERE n <> files OR a <> lines_added OR r <> lines_removed OR b > binary_files`;
  expect(await query(folder, differing)).toEqual([]);
  const otherHunks = `SELECT number, path FROM TABLE(files) LEFT JOIN
    (SELECT number, path, count(*) n FROM TABLE(hunks) GROUP BY ALL) USING (number, path)
    WHERE hunks <> coalesce(n, 0)`;
  expect(await query(folder, otherHunks)).toEqual([]);
  expect(
    await query(folder, "SELECT number, subject, author_name FROM TABLE(commits) ORDER BY number"),
  ).toEqual(
    [2, 3, 4].map((number) => ({ number: `${number}`, subject: `Change ${number - 1}`, author_name: null })),
  );
});

test("killed at any write and run again, the tables have each row once", async () => {
  const folder = await newFolder();
  await update(folderObjects(folder));
  const expected = await content(folder);
  const counted = faultyStore(folderObjects(await newFolder()), () => undefined);
  await update(counted);
  expect(counted.writes()).toBe(11); // Two months of four tables, what describes them, and the progress.
  for (const fault of ["dies-before", "dies-after", "lost-answer"] as const) {
    for (let write = 1; write <= counted.writes(); write++) {
      const folder = await newFolder();
      const store = faultyStore(folderObjects(folder), (number) => (number === write ? fault : undefined));
      await update(store).catch((error) => expect(error).toBeInstanceOf(Dead));
      await update(folderObjects(folder));
      expect(await content(folder)).toEqual(expected);
    }
  }
});

test("ten runs at once add each row once", async () => {
  const [folder, alone] = [await newFolder(), await newFolder()];
  await update(folderObjects(alone));
  await Promise.all(
    Array.from({ length: 10 }, (_, run) =>
      update(folderObjects(folder), [["one"], ["two"], ["two", "one"]][run % 3]),
    ),
  );
  await update(folderObjects(folder));
  expect(await content(folder)).toEqual(await content(alone));
});

test("the same runs make the same bytes", async () => {
  const [first, second] = [await newFolder(), await newFolder()];
  for (const folder of [first, second]) {
    await update(folderObjects(folder), ["one"]);
    await update(folderObjects(folder), ["one", "two"]);
  }
  const files = (await readdir(join(first, "v1"), { recursive: true })).filter((name) =>
    name.endsWith(".parquet"),
  );
  expect(files).toHaveLength(8);
  for (const name of files) {
    expect(await readFile(join(first, "v1", name))).toEqual(await readFile(join(second, "v1", name)));
  }
});

test("a run without a new step writes nothing, and a lost progress is found again in the files", async () => {
  const folder = await newFolder();
  await update(folderObjects(folder));
  const again = faultyStore(folderObjects(folder), () => undefined);
  await update(again);
  expect(again.writes()).toBe(0);
  const before = await content(folder);
  await rm(join(folder, "v1/_progress"), { recursive: true });
  await update(folderObjects(folder));
  expect(await content(folder)).toEqual(before);
});

test("a file that is somebody else's stays as it is", async () => {
  const folder = await newFolder();
  await update(folderObjects(folder));
  const name = join(folder, "v1/files/month=2026-02/daily.parquet");
  await cp(join(folder, "v1/steps/month=2026-02/daily.parquet"), name);
  await rm(join(folder, "v1/_progress"), { recursive: true });
  await expect(update(folderObjects(folder))).rejects.toMatchObject({ code: "table-foreign" });
  await writeFile(name, "PAR1 not");
  await expect(update(folderObjects(folder))).rejects.toMatchObject({ code: "table-foreign" });
  expect(await readFile(name, "utf8")).toBe("PAR1 not");
});

test("damaged rows are an error, and what they belong to is not added", async () => {
  const copy = await collected.copy();
  const [rows = ""] = await readdir(join(await copy.destination(), "_rows"));
  await writeFile(join(await copy.destination(), "_rows", rows), "changed");
  const objects = folderObjects(await copy.destination());
  const store = folderObjects(await newFolder());
  const repositories = [{ name: "one", objects, keyOf: (key: string) => key }];
  await expect(updateTables(store, "daily", repositories, { hunks: false })).rejects.toMatchObject({
    code: "rows-damaged",
  });
  await copy[Symbol.asyncDispose]();
});

test("a file of an older version gets the columns that it lacks, and its rows stay", async () => {
  const folder = await newFolder();
  await update(folderObjects(folder), ["one"]);
  const path = join(folder, "v1/files/month=2026-02/daily.parquet");
  const before = await query(folder, "SELECT * EXCLUDE is_test FROM TABLE(files) ORDER BY ALL");
  await withoutLastColumn(path);
  await update(folderObjects(folder), ["one", "two"]);
  const after = await query(
    folder,
    "SELECT * EXCLUDE is_test FROM TABLE(files) WHERE repository = 'one' ORDER BY ALL",
  );
  expect(after).toEqual(before);
  const filled =
    "SELECT repository, count(is_test) > 0 AS filled FROM TABLE(files) WHERE month = '2026-02' GROUP BY ALL ORDER BY ALL";
  expect(await query(folder, filled)).toEqual([
    { repository: "one", filled: false },
    { repository: "two", filled: true },
  ]);
});

/** Writes a file of `files` as a version without the column `is_test` would have. */
async function withoutLastColumn(path: string): Promise<void> {
  const stored = await readFile(path);
  const { key_value_metadata } = parquetMetadata(new Uint8Array(stored).buffer);
  const rows = (await Array.fromAsync(readTable(stored, "files"))).flat();
  const { is_test: _, ...older } = tables.files;
  const columnData = Object.entries(older).map(([name, { type }]) => ({
    name,
    data: rows.map((row) => convert(row[name] ?? null, type)),
  }));
  const content = parquetWriteBuffer({
    columnData,
    schema: parquetSchema(older),
    kvMetadata: key_value_metadata ?? [],
  });
  await writeFile(path, Buffer.from(content));
}
