import { zstdCompressSync } from "node:zlib";
import { parquetMetadata } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { parquetSchema } from "./parquet-schema.ts";
import { type Columns, type ColumnType, type TableName, tables } from "./schema.ts";

/** Names a step of one of a collection's chains. */
export type StepName = readonly [repository: string, chain: string, number: number];

/** A row of any table, in JSON. */
export type AnyRow = Readonly<Record<string, unknown>>;

/** A Parquet file that grows: what it had stays byte for byte, but for the footer. */
export interface TableFile {
  /** The steps whose rows it has. */
  readonly steps: readonly StepName[];
  readonly rowGroups: number;
  /** Adds rows, some at a time as one row group. */
  add(rows: readonly AnyRow[]): void;
  /** Ends the file. @param steps what it has now */
  end(steps: readonly StepName[]): Buffer;
}

/** Where the footer says which steps the file has. */
const stepsKey = "steps";

/** In one row group, which is in memory before it is written. */
const rowsAtOnce = 50_000;

/**
 * Opens a file of a table.
 * @param file undefined for a new one
 * @returns undefined where it is another table's, or no file that this worker wrote
 */
export function openTableFile(file: Buffer | undefined, table: TableName): TableFile | undefined {
  const schema = parquetSchema(tables[table]);
  const stored = file && readFooter(file);
  if (file && (stored === undefined || stored.columns !== schema.map(({ name }) => name).join()))
    return undefined;
  const columns: Columns = tables[table];
  const writer = new ByteWriter((file?.length ?? 0) + 64 * 1024);
  const parquet = new ParquetWriter({
    writer,
    schema,
    codec: "ZSTD",
    compressors: { ZSTD: (bytes) => zstdCompressSync(bytes) },
    createdBy: "git-diff-to-s3",
  });
  if (file && stored) {
    // The writer has begun the file, so its first bytes are there.
    writer.appendBytes(file.subarray(writer.offset, stored.end));
    // Not promised by the writer's interface, and so its version is pinned: it goes on after these.
    parquet.row_groups = stored.rowGroups;
    parquet.num_rows = stored.rows;
  }
  let waiting: AnyRow[] = [];
  const write = () => {
    if (waiting.length === 0) return;
    const columnData = Object.entries(columns).map(([name, { type }]) => ({
      name,
      data: waiting.map((row) => convert(row[name] ?? null, type)),
    }));
    parquet.write({ columnData, rowGroupSize: waiting.length });
    waiting = [];
  };
  return {
    steps: stored?.steps ?? [],
    rowGroups: stored?.rowGroups.length ?? 0,
    add(rows) {
      for (const row of rows) {
        waiting.push(row);
        if (waiting.length === rowsAtOnce) write();
      }
    },
    end(steps) {
      write();
      parquet.kvMetadata = [{ key: stepsKey, value: JSON.stringify(steps) }];
      parquet.finish();
      return Buffer.from(writer.getBytes());
    },
  };
}

function readFooter(file: Buffer) {
  try {
    const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer;
    const { schema, row_groups, num_rows, metadata_length, key_value_metadata } = parquetMetadata(bytes);
    const steps = key_value_metadata?.find(({ key }) => key === stepsKey)?.value;
    if (steps === undefined) return undefined;
    return {
      columns: schema.map(({ name }) => name).join(),
      steps: JSON.parse(steps) as StepName[],
      rowGroups: row_groups,
      rows: num_rows,
      // After the footer come its length and a mark.
      end: file.length - metadata_length - 8,
    };
  } catch {
    return undefined;
  }
}

/** Turns a value in JSON into what the writer takes. */
function convert(value: unknown, type: ColumnType): unknown {
  if (value === null) return null;
  if (type === "bigint") return BigInt(value as number);
  if (type === "date" || type === "timestamp") return new Date(value as string);
  return value;
}
