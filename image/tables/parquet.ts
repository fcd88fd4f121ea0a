import { zstdCompressSync } from "node:zlib";
import { parquetMetadata, type RowGroup, parquetSchema as schemaTree } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { parquetSchema } from "./parquet-schema.ts";
import { readTable } from "./read-table.ts";
import { type AnyRow, type Columns, type ColumnType, type TableName, tables } from "./schema.ts";

/** Names a step of one of a collection's chains. */
export type StepName = readonly [repository: string, chain: string, number: number];

/** A Parquet file that grows: what it had stays byte for byte, but for the footer and many small row groups. */
export interface TableFile {
  /** The steps whose rows it has. */
  readonly steps: readonly StepName[];
  /** Adds rows, some at a time as one row group. */
  add(rows: readonly AnyRow[]): void;
  /** Ends the file. @param steps what it has now */
  end(steps: readonly StepName[]): Buffer;
}

/** Where the footer says which steps the file has. */
const stepsKey = "steps";

/** In one row group, which is in memory before it is written. */
const rowsAtOnce = 10_000;

/** In bytes. Copies of such a file are freed at once. */
const largeFile = 4 * 1024 * 1024;

/** Readers read each row group by requests of its own. More small ones than these are written anew as large ones. */
export const mostSmallGroups = 64;

/**
 * Opens a file of a table. One of an older version, whose last columns are missing, is written anew.
 * @param file undefined for a new one
 * @returns undefined where it is another table's, or no file as this worker has written it
 */
export async function openTableFile(
  file: Buffer | undefined,
  table: TableName,
): Promise<TableFile | undefined> {
  const columns: Columns = tables[table];
  const names = Object.keys(columns);
  const stored = file && readFooter(file);
  if (file && !stored?.columns.every((name, index) => name === names[index])) return undefined;
  const writer = new ByteWriter(64 * 1024);
  let kept: Buffer = Buffer.alloc(0);
  const parquet = new ParquetWriter({
    writer,
    schema: parquetSchema(columns),
    codec: "ZSTD",
    compressors: { ZSTD: (bytes) => zstdCompressSync(bytes) },
    createdBy: "git-diff-to-s3",
  });
  let waiting: AnyRow[] = [];
  const write = () => {
    if (waiting.length === 0) return;
    const columnData = Object.entries(columns).map(([name, { type }]) => ({
      name,
      data: waiting.map((row) => convert(row[name] ?? null, type)),
      // It would lie elsewhere, where bytes of other row groups may come later.
      offsetIndex: false,
    }));
    parquet.write({ columnData, rowGroupSize: waiting.length });
    waiting = [];
  };
  const add = (rows: readonly AnyRow[]) => {
    for (const row of rows) {
      waiting.push(row);
      if (waiting.length < rowsAtOnce) continue;
      // Bun alone would let the memory of so many rows grow.
      Bun.gc(true);
      write();
      Bun.gc(true);
    }
  };
  if (file && stored) {
    const { groups } = stored;
    const count = stored.columns.length < names.length ? 0 : keptGroups(groups);
    kept = file.subarray(0, startOf(groups[count]) ?? stored.end);
    // Not promised by the writer's interface, and so its version is pinned: it goes on after these bytes and row groups.
    writer.index = 0;
    writer.offset = kept.length;
    parquet.row_groups = groups.slice(0, count);
    parquet.num_rows = parquet.row_groups.reduce((sum, { num_rows }) => sum + num_rows, 0n);
    try {
      for await (const rows of readTable(file, table, names, count)) add(rows);
    } catch {
      return undefined;
    }
  }
  return {
    steps: stored?.steps ?? [],
    add,
    end(steps) {
      write();
      parquet.kvMetadata = [{ key: stepsKey, value: JSON.stringify(steps) }];
      parquet.finish();
      if (kept.length > largeFile) Bun.gc(true);
      return Buffer.concat([kept, writer.getBytes()]);
    },
  };
}

/** Returns how many row groups stay: all, or those before the first small one if there are too many of these. */
function keptGroups(groups: readonly RowGroup[]): number {
  const isSmall = ({ num_rows }: RowGroup) => num_rows < rowsAtOnce / 2;
  if (groups.filter(isSmall).length <= mostSmallGroups) return groups.length;
  return groups.findIndex(isSmall);
}

/** Returns where a row group begins. */
function startOf(group: RowGroup | undefined): number | undefined {
  const { dictionary_page_offset, data_page_offset } = group?.columns[0]?.meta_data ?? {};
  const offset = dictionary_page_offset ?? data_page_offset;
  return offset === undefined ? undefined : Number(offset);
}

function readFooter(file: Buffer) {
  try {
    const { schema, row_groups, metadata_length, key_value_metadata } = parquetMetadata(file);
    const steps = key_value_metadata?.find(({ key }) => key === stepsKey)?.value;
    if (steps === undefined) return undefined;
    return {
      columns: schemaTree({ schema }).children.map(({ element }) => element.name),
      steps: JSON.parse(steps) as StepName[],
      groups: row_groups,
      // After the footer come its length and a mark.
      end: file.length - metadata_length - 8,
    };
  } catch {
    return undefined;
  }
}
/** Turns a value in JSON into what the writer takes. */
export function convert(value: unknown, type: ColumnType): unknown {
  if (value === null) return null;
  if (type === "bigint") return BigInt(value as number);
  if (type === "date" || type === "timestamp") return new Date(value as string);
  return value;
}
