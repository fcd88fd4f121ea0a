import { zstdDecompressSync } from "node:zlib";
import { parquetMetadata, parquetReadObjects, parquetSchema } from "hyparquet";
import { type AnyRow, type ColumnType, type TableName, tables } from "./schema.ts";

/**
 * Streams the rows of a table's file, a row group at a time, with values as they are in JSON. A column that an older file
 * lacks is null.
 * @param columns the columns to read; all unless given
 * @param firstGroup the row group to begin with, from 0
 */
export async function* readTable(
  content: Buffer,
  table: TableName,
  columns: readonly string[] = Object.keys(tables[table]),
  firstGroup = 0,
): AsyncGenerator<AnyRow[]> {
  const metadata = parquetMetadata(content);
  const file = {
    byteLength: content.length,
    slice: (start: number, end?: number) => toArrayBuffer(content.subarray(start, end)),
  };
  const types = Object.fromEntries(Object.entries(tables[table]).map(([name, { type }]) => [name, type]));
  const stored = parquetSchema(metadata).children.map(({ element }) => element.name);
  const changed = columns.filter(
    (name) => !stored.includes(name) || ["bigint", "date", "timestamp"].includes(types[name] ?? ""),
  );
  let rowStart = 0;
  for (const [group, { num_rows }] of metadata.row_groups.entries()) {
    const rowEnd = rowStart + Number(num_rows);
    if (group >= firstGroup) {
      const rows = await parquetReadObjects({
        file,
        metadata,
        rowStart,
        rowEnd,
        columns: columns.filter((name) => stored.includes(name)),
        compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
      });
      // In place: these are many.
      for (const row of rows) for (const name of changed) row[name] = toJson(row[name], types[name]);
      yield rows;
    }
    rowStart = rowEnd;
  }
}

function toJson(value: unknown, type: ColumnType | undefined): unknown {
  if (value === null || value === undefined) return null;
  if (type === "bigint") return Number(value);
  if (type === "timestamp") return (value as Date).toISOString();
  if (type === "date") return (value as Date).toISOString().slice(0, 10);
  return value;
}

const toArrayBuffer = (bytes: Buffer): ArrayBuffer =>
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
