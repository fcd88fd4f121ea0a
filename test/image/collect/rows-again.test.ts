import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TableName } from "../../../image/tables/schema.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { query } from "../../fixtures/duckdb.ts";
import { collectEveryChange } from "../../fixtures/every-change.ts";

setDefaultTimeout(120_000);

let original: CollectedRepository;
let collected: CollectedRepository;
beforeAll(async () => {
  original = await collectEveryChange({}, { tables: true });
});
afterAll(() => original?.[Symbol.asyncDispose]());
beforeEach(async () => {
  collected = await original.copy();
});
afterEach(() => collected?.[Symbol.asyncDispose]());

/** Leaves the steps as a version without tables left them. @param change what else is other in their records */
async function forgetRows(change: object = {}): Promise<void> {
  const results = await collected.destination();
  const records = join(results, "_steps");
  for (const record of await readdir(records)) {
    const { rows: _, ...rest } = JSON.parse(await readFile(join(records, record), "utf8"));
    await writeFile(join(records, record), JSON.stringify({ ...rest, ...change }));
  }
  for (const gone of [join(results, "_rows"), join(collected.folder, "git-diffs/tables")])
    await rm(gone, { recursive: true });
}

const rowsOf = (table: TableName, columns = "*") =>
  query(join(collected.folder, "git-diffs/tables"), `SELECT ${columns} FROM TABLE(${table}) ORDER BY ALL`);

test("tables makes the rows of steps without any: from their diffs, and with what the host has still", async () => {
  const before = [await rowsOf("files"), await rowsOf("commits")];
  await forgetRows();
  expect((await collected.makeTables()).events).toMatchObject([{ event: "tables", steps: 4 }]);
  expect([await rowsOf("files"), await rowsOf("commits")]).toEqual(before);
  const verified = await collected.verify("--tables");
  expect(verified.events.filter(({ event }) => event === "finding")).toEqual([]);
  // Again, nothing changes.
  const file = join(collected.folder, "git-diffs/tables/v1/files/month=2026-01/local.parquet");
  const content = await readFile(file);
  await collected.makeTables();
  expect(await readFile(file)).toEqual(content);
});

test("of what the host has no more, tables has the files alone, and verify says so", async () => {
  const fromDiffs = "* EXCLUDE (is_generated, is_vendored)";
  const before = await rowsOf("files", fromDiffs);
  await forgetRows({ to: "f".repeat(40) });
  expect((await collected.makeTables()).events).toMatchObject([{ event: "tables", steps: 4 }]);
  expect((await rowsOf("files", fromDiffs)).map(({ to_commit: _, ...row }) => row)).toEqual(
    before.map(({ to_commit: _, ...row }) => row),
  );
  expect(await rowsOf("commits")).toEqual([]);
  const notes = (await collected.verify("--tables")).events.filter(({ code }) => code === "table-incomplete");
  expect(notes.map(({ object }) => object)).toEqual(
    [2, 3, 4].map((number) => expect.stringMatching(new RegExp(` ${number}$`))),
  );
});

test("what a host does not send is a failure of its repository, and its rows are made later", async () => {
  const before = [await rowsOf("files"), await rowsOf("commits")];
  await forgetRows();
  const { events, status } = await collected.run(["tables"], { MAX_PACK_BYTES: "1" });
  expect(status).toBe(1);
  expect(events).toMatchObject([
    { event: "failed", repository: expect.any(String), code: "pack-too-large" },
    { event: "tables" },
  ]);
  expect(await rowsOf("steps", "number")).toHaveLength(4);
  expect(await collected.makeTables()).toMatchObject({ status: 0 });
  expect([await rowsOf("files"), await rowsOf("commits")]).toEqual(before);
});
