import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { dataContract, tablesReadme } from "./describe.ts";
import { openTableFile, type StepName } from "./parquet.ts";
import type { StepRows } from "./rows-file.ts";
import { type TableName, tables } from "./schema.ts";
import { daily, stepColumns, stepRow, type TableStep } from "./step-row.ts";

/** Other runs may change a file at the same time, but hardly so often. */
const mostTries = 20;

export const tableNames = Object.keys(tables) as TableName[];

/** Returns the name of a table's file. */
export const tableFileName = (table: TableName, month: string, collection: string): string =>
  `v1/${table}/month=${month}/${collection}.parquet`;

/**
 * Adds steps to a month's files of a collection, each exactly once, whatever other runs do.
 * @param month such as 2026-01
 * @param rowsOf streams the rows of a step in portions; undefined where none were made
 * @throws StoreError
 */
export async function addToMonth(
  store: ObjectStore,
  month: string,
  collection: string,
  steps: readonly TableStep[],
  rowsOf: (step: TableStep) => AsyncIterable<StepRows> | undefined,
): Promise<void> {
  for (let tries = 0; tries < mostTries; tries++) {
    const files = await Promise.all(
      tableNames.map((table) => openFile(store, table, tableFileName(table, month, collection))),
    );
    const lacking = files.filter(({ has }) => steps.some((step) => !has(step)));
    if (lacking.length === 0) return;
    for (const step of steps) {
      const files = lacking.filter(({ has }) => !has(step));
      const needsRows = files.some(({ table }) => table !== "steps");
      const portions = needsRows ? rowsOf(step) : undefined;
      for (const file of files) file.begin(step, portions !== undefined);
      for await (const rows of portions ?? []) for (const file of files) file.add(step, rows);
    }
    if (lacking.some(({ isNew }) => isNew)) await describeTables(store);
    const written = await Promise.all(lacking.map((file) => file.write()));
    if (written.every((isWritten) => isWritten)) return;
  }
  throw new Error("Other runs keep changing the tables.");
}

async function openFile(store: ObjectStore, table: TableName, name: string) {
  const stored = await store.getBytes(name);
  const file = openTableFile(stored?.bytes, table);
  if (file === undefined) throw foreign(store.address(name));
  const here = new Set(file.steps.map((step) => step.join(" ")));
  const added: StepName[] = [];
  return {
    table,
    isNew: stored === undefined,
    has: (step: TableStep) => here.has(nameOf(step).join(" ")),
    /** Begins a step. One with rows that were never made is left out of the tables that would have them. */
    begin(step: TableStep, hasRows: boolean) {
      if (table === "steps") file.add([stepRow(step)]);
      if (table === "steps" || hasRows || step.record.bytes === 0) added.push(nameOf(step));
    },
    add(step: TableStep, { commits, files }: StepRows) {
      const first = stepColumns(step);
      if (table === "commits") file.add(commits.map((row) => ({ ...first, ...row })));
      if (table === "files") file.add(files.map((row) => ({ ...first, to_commit: step.record.to, ...row })));
    },
    /** Returns false where another run has changed the file meanwhile. */
    async write() {
      if (added.length === 0) return true;
      const content = file.end([...file.steps, ...added]);
      const details = { contentType: "application/vnd.apache.parquet", metadata: {} };
      return (await store.putIf(name, content, stored?.etag, details)) !== undefined;
    },
  };
}

/** Puts what the tables are beside them, unless it is there. */
async function describeTables(store: ObjectStore): Promise<void> {
  const details = { contentType: "text/plain; charset=utf-8", metadata: {} };
  await store.putIf("v1/README.md", tablesReadme(), undefined, details);
  await store.putIf("v1/contract.odcs.yaml", dataContract(), undefined, details);
}

const nameOf = ({ repository, record }: TableStep): StepName => [repository, daily, record.number];

const foreign = (address: string) =>
  new StoreError(
    "table-foreign",
    `${address} is no table that this worker wrote.`,
    "Nothing was changed. Move the file away: the next run, or the command tables, makes it anew.",
  );
