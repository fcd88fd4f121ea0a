import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parquetMetadata } from "hyparquet";
import { openTableFile, type StepName } from "../../../image/tables/parquet.ts";
import { readTable } from "../../../image/tables/read-table.ts";
import type { TableName } from "../../../image/tables/schema.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { query } from "../../fixtures/duckdb.ts";
import { collectEveryChange } from "../../fixtures/every-change.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(120_000);

let original: CollectedRepository;
let collected: CollectedRepository;
let folder: string;
beforeAll(async () => {
  original = await collectEveryChange({}, { tables: true });
});
afterAll(() => original?.[Symbol.asyncDispose]());
beforeEach(async () => {
  collected = await original.copy();
  folder = collected.folder;
});
afterEach(() => collected?.[Symbol.asyncDispose]());

const tablesEvent = async () =>
  (await collected.verify("--tables")).events.find(({ tables }) => tables === "local");
const findings = async () =>
  (await collected.verify("--tables")).events
    .filter(({ event }) => event === "finding")
    .map(({ code }) => code);
const path = (table: TableName) => join(folder, `git-diffs/tables/v1/${table}/month=2026-01/local.parquet`);

test("tables that are what the records say hold", async () => {
  expect(await tablesEvent()).toMatchObject({ event: "verified", holds: true, notes: 0, steps: 4 });
  expect((await collected.verify("--tables")).status).toBe(0);
});

/** Writes a table's file anew, with other rows. */
async function rewrite(
  table: TableName,
  change: (rows: Record<string, unknown>[]) => Record<string, unknown>[],
) {
  const content = await readFile(path(table));
  const rows = (await Array.fromAsync(readTable(content, table))).flat();
  const steps = (await openTableFile(content, table))?.steps as StepName[];
  const file = await openTableFile(undefined, table);
  file?.add(change(rows));
  await writeFile(path(table), file?.end(steps) ?? "");
}

/** Overwrites the pages of a table's file, and leaves its footer. */
async function damage(name: string) {
  const content = await readFile(name);
  const { metadata_length } = parquetMetadata(new Uint8Array(content).buffer);
  await writeFile(name, content.fill(0xff, 4, content.length - metadata_length - 8));
}

describe("tables that are not", () => {
  const last = (rows: Record<string, unknown>[]) => rows.at(-1) ?? {};
  const lies: [string, () => Promise<unknown>, string][] = [
    ["a missing file", () => rm(path("commits")), "table-missing"],
    // Each column of these pages: none of their errors may be left alone.
    ["a damaged file", () => damage(path("files")), "table-damaged"],
    ["a step twice", () => rewrite("steps", (rows) => [...rows, last(rows)]), "table-differs"],
    [
      "another number in a step",
      () => rewrite("steps", (rows) => [...rows.slice(0, -1), { ...last(rows), files: 7 }]),
      "table-differs",
    ],
    ["a file's row missing", () => rewrite("files", (rows) => rows.slice(0, -1)), "table-differs"],
    ["a file's row twice", () => rewrite("files", (rows) => [...rows, last(rows)]), "table-differs"],
    ["a commit's row missing", () => rewrite("commits", (rows) => rows.slice(0, -1)), "table-differs"],
    [
      "other lines of a file",
      () =>
        rewrite("files", (rows) =>
          rows.map((row, index) => (index === 0 ? { ...row, lines_added: 1_000 } : row)),
        ),
      "table-differs",
    ],
    [
      "another place in the diff",
      () =>
        rewrite("files", (rows) => [
          ...rows.slice(0, -1),
          { ...last(rows), patch_offset: Number(last(rows).patch_offset) + 1 },
        ]),
      "table-differs",
    ],
    [
      "rows of a step that is not there",
      () => rewrite("steps", (rows) => [...rows, { ...last(rows), number: 99 }]),
      "table-differs",
    ],
    ["a step that is not there yet", () => rewrite("steps", (rows) => rows.slice(0, -1)), "table-behind"],
  ];
  test.each(lies)("%s", async (_, lie, code) => {
    await lie();
    expect(await findings()).toEqual([code]);
  });
});

test("an export carries the rows, and a place that has them verifies", async () => {
  const place = await collected.destination();
  const [delta, there] = [join(folder, "delta.tar"), join(folder, "there")];
  const local = (...args: string[]) => runWorker({}, { cwd: folder, args: ["local", ...args] });
  expect(await local("export", place, "--output", delta)).toMatchObject({ status: 0 });
  expect(await local("import", delta, there)).toMatchObject({ status: 0 });
  expect((await readdir(join(there, "_rows"))).sort()).toEqual((await readdir(join(place, "_rows"))).sort());
});

test("without tables, a run makes none, and they cannot be verified", async () => {
  await rm(join(folder, "git-diffs"), { recursive: true });
  expect(await collected.run([])).toMatchObject({ status: 0 });
  expect(await readdir(join(folder, "git-diffs"))).toHaveLength(1);
  expect(await collected.verify("--tables")).toMatchObject({ status: 2 });
});

test("hunks are added later, where they are asked for", async () => {
  const asked = (...args: string[]) => collected.run(args, { TABLES_HUNKS: "true" });
  expect((await asked("tables")).events).toMatchObject([{ event: "tables", steps: 4 }]);
  const [counted] = await query(
    join(folder, "git-diffs/tables"),
    "SELECT count(*)::int AS hunks FROM TABLE(hunks)",
  );
  expect(counted?.hunks).toBeGreaterThan(10);
  expect(await asked("verify", "--tables")).toMatchObject({ status: 0 });
  await rewrite("hunks", (rows) => rows.slice(1));
  expect(await asked("verify", "--tables")).toMatchObject({ status: 1 });
});
