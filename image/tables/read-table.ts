import { zstdDecompressSync } from "node:zlib";
import { type FileMetaData, parquetMetadata, type RowGroup } from "hyparquet";
// Not by the library's readers of rows: their filters and indexes, which are not used here, would be in the executable too.
import { readRowGroup } from "hyparquet/src/rowgroup.js";
import { flatten } from "hyparquet/src/utils.js";
import { type AnyRow, type Columns, type ColumnType, type TableName, tables } from "./schema.ts";

/**
 * Streams the rows of a table's file, a row group at a time, with values as they are in JSON. A column that an older file
 * lacks is null. Throws an error of the library where the file is damaged.
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
  const types: Columns = tables[table];
  for (const group of metadata.row_groups.slice(firstGroup)) {
    const rows = Array.from({ length: Number(group.num_rows) }, (): Record<string, unknown> => ({}));
    const stored = await readColumns(content, metadata, group, columns);
    for (const name of columns) {
      const toJson = converter(types[name]?.type);
      const values = stored.get(name);
      for (const [index, row] of rows.entries()) row[name] = toJson(values?.[index] ?? null);
    }
    yield rows;
  }
}

/** Returns the values of these columns, as far as a file has them. */
async function readColumns(
  content: Buffer,
  metadata: FileMetaData,
  rowGroup: RowGroup,
  columns: readonly string[],
): Promise<Map<string, ArrayLike<unknown>>> {
  const groupRows = Number(rowGroup.num_rows);
  const chunks = rowGroup.columns.flatMap(({ meta_data }) =>
    meta_data && columns.includes(meta_data.path_in_schema[0] ?? "")
      ? [{ columnMetadata: meta_data, range: rangeOf(meta_data) }]
      : [],
  );
  const file = {
    byteLength: content.length,
    slice: (start: number, end?: number) => toArrayBuffer(content.subarray(start, end)),
  };
  const options = { file, compressors: { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) } };
  const plan = { chunks, rowGroup, groupStart: 0, selectStart: 0, selectEnd: groupRows, groupRows };
  // A list that is required, with required elements, comes as it is.
  const { asyncColumns } = readRowGroup(options, { metadata, rowStart: 0, fetches: [], groups: [] }, plan);
  const found = asyncColumns.map(
    async ({ pathInSchema, data }) => [pathInSchema[0] ?? "", flatten((await data).data)] as const,
  );
  return new Map(await Promise.all(found));
}

type Chunk = NonNullable<RowGroup["columns"][number]["meta_data"]>;

function rangeOf({ dictionary_page_offset, data_page_offset, total_compressed_size }: Chunk) {
  const startByte = Number(dictionary_page_offset ?? data_page_offset);
  return { startByte, endByte: startByte + Number(total_compressed_size) };
}

/** Returns what turns a value of Parquet into one of JSON. Most rows have the day of the row before. */
function converter(type: ColumnType | undefined): (value: unknown) => unknown {
  if (type === "bigint") return (value) => (value === null ? null : Number(value));
  if (type !== "date" && type !== "timestamp") return (value) => value;
  let [last, text] = [Number.NaN, ""];
  return (value) => {
    if (!(value instanceof Date)) return null;
    if (value.getTime() !== last) {
      last = value.getTime();
      text = type === "date" ? value.toISOString().slice(0, 10) : value.toISOString();
    }
    return text;
  };
}

const toArrayBuffer = (bytes: Buffer): ArrayBuffer =>
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
