import { expect, test } from "bun:test";
import { parquetMetadata } from "hyparquet";
import { mostSmallGroups, openTableFile } from "../../../image/tables/parquet.ts";
import { readTable } from "../../../image/tables/read-table.ts";

const row = (number: number) => ({
  ...{ repository: `r${number % 7}`, chain: "daily", number, day: "2026-01-31" },
  ...{ path: `src/${number}`, old_start: number, old_lines: 1, new_start: number, new_lines: 2 },
});

/** Appends rows to a file as one run does. */
async function append(file: Buffer | undefined, rows: readonly number[]): Promise<Buffer> {
  const opened = await openTableFile(file, "hunks");
  opened?.add(rows.map(row));
  return opened?.end([...opened.steps, ["api", "daily", rows[0] ?? 0]]) ?? Buffer.alloc(0);
}

const groups = (file: Buffer) =>
  parquetMetadata(new Uint8Array(file).buffer).row_groups.map(({ num_rows }) => Number(num_rows));
const rowsOf = async (file: Buffer) => (await Array.fromAsync(readTable(file, "hunks"))).flat();

test("many small row groups become one; large ones before them stay byte for byte", async () => {
  const large = Array.from({ length: 10_000 }, (_, index) => index);
  const first = await append(undefined, large);
  let file = first;
  let next = large.length;
  for (; groups(file).length <= 1 + mostSmallGroups; next++) file = await append(file, [next]);
  expect(groups(file)).toEqual([10_000, ...Array(mostSmallGroups + 1).fill(1)]);
  file = await append(file, [next++, next++]);
  expect(groups(file)).toEqual([10_000, mostSmallGroups + 3]);
  expect(await rowsOf(file)).toEqual(Array.from({ length: next }, (_, index) => row(index)));
  // All but the footer, of which the first file has one step.
  const [{ data_page_offset } = { data_page_offset: 0n }] = [
    parquetMetadata(new Uint8Array(file).buffer).row_groups[1]?.columns[0]?.meta_data,
  ];
  const kept = Number(data_page_offset) - 100;
  expect(file.subarray(0, kept)).toEqual(first.subarray(0, kept));
  // The file knows its steps still, each once.
  expect((await openTableFile(file, "hunks"))?.steps).toHaveLength(mostSmallGroups + 3);
}, 60_000);

test("lists are read as they were written", async () => {
  const parents = [["a", "b"], [], ["c"], ["a", "b", "c"], []];
  const file = await openTableFile(undefined, "commits");
  file?.add(parents.map((parents) => ({ ...row(1), commit_id: "c", tree_id: "t", trailers: "[]", parents })));
  const rows = (await Array.fromAsync(readTable(file?.end([]) ?? Buffer.alloc(0), "commits"))).flat();
  expect(rows.map(({ parents }) => parents)).toEqual(parents);
});

test("several damaged columns are one error, and none is left alone", async () => {
  const file = await append(
    undefined,
    Array.from({ length: 500 }, (_, index) => index),
  );
  const damaged = Buffer.from(file).fill(0xff, 4, groupEnd(file));
  // An error that nobody catches would fail the test a moment later.
  await expect(rowsOf(damaged)).rejects.toThrow();
  await Bun.sleep(20);
});

test("a damaged file is not written anew, and so not shortened", async () => {
  let file: Buffer | undefined;
  for (let next = 0; next <= mostSmallGroups; next++) file = await append(file, [next]);
  const damaged = Buffer.from(file ?? "").fill(0xff, 4, groupEnd(file ?? Buffer.alloc(0)));
  expect(await openTableFile(damaged, "hunks")).toBeUndefined();
});

const groupEnd = (file: Buffer) =>
  file.length - parquetMetadata(new Uint8Array(file).buffer).metadata_length - 8;
