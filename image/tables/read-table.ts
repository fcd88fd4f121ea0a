import { zstdDecompressSync } from "node:zlib";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import type { AnyRow } from "./parquet.ts";
import type { ColumnType, TableName } from "./schema.ts";
import { tables } from "./schema.ts";

/**
 * Streams the rows of a table's file, a row group at a time, with values as they are in JSON.
 * @param columns the columns to read; undefined for all
 */
export async function* readTable(
  content: Buffer,
  table: TableName,
  columns: readonly string[] = Object.keys(tables[table]),
): AsyncGenerator<AnyRow[]> {
  const file = toArrayBuffer(content);
  const metadata = parquetMetadata(file);
  const types = Object.fromEntries(Object.entries(tables[table]).map(([name, { type }]) => [name, type]));
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    const rows = await parquetReadObjects({
      file,
      metadata,
      rowStart,
      rowEnd,
      columns: [...columns],
      compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
    });
    yield rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value, types[name])])),
    );
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
