import type { CompleteStep } from "../chain/record.ts";
import { readRows, type StepRows } from "./rows-file.ts";
import { rowsFromDiff } from "./rows-from-diff.ts";
import type { TableName } from "./schema.ts";
import type { TableRepository } from "./table-repository.ts";

/** Rows of a step. */
export interface RowSource {
  /** The tables of which it has all rows. */
  readonly tables: readonly TableName[];
  /** Streams them in portions, once. @throws StoreError */
  read(): AsyncIterable<StepRows>;
}

/** Returns the rows that lie beside a step's record, and those of which it says that there are none. */
export function storedRows({ objects }: TableRepository, record: CompleteStep): RowSource[] {
  const { rows, diff, commits } = record;
  if (rows) {
    const tables = ["commits", "files", ...(rows.hunks === undefined ? [] : ["hunks" as const])] as const;
    return [{ tables, read: () => readRows(objects, rows) }];
  }
  const empty = [...(diff === null ? ["files", "hunks"] : []), ...(commits === 0 ? ["commits"] : [])];
  return [{ tables: empty as TableName[], async *read() {} }];
}

/**
 * Makes rows of a step that was collected without them. Those of commits come from its host, while that has them; so do the
 * marks of `.gitattributes`.
 * @param lacking the tables
 * @throws GitError, StoreError, LimitError
 */
export async function makeRows(
  { objects, rowsAgain }: TableRepository,
  record: CompleteStep,
  lacking: readonly TableName[],
): Promise<RowSource[]> {
  const again = record.rows ? undefined : await rowsAgain?.(record);
  if (again) return [{ tables: lacking, read: () => again }];
  const { diff } = record;
  if (diff === null) return [];
  const tables = lacking.filter((table) => table !== "commits");
  return tables.length > 0 ? [{ tables, read: () => rowsFromDiff(objects, diff) }] : [];
}
