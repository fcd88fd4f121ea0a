import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { dataContract, tablesReadme } from "./describe.ts";
import { openTableFile, type StepName } from "./parquet.ts";
import type { RowSource } from "./row-sources.ts";
import type { StepRows } from "./rows-file.ts";
import type { TableName } from "./schema.ts";
import { daily, stepColumns, stepRow, type TableStep } from "./step-row.ts";

/** Other runs may change a file at the same time, but hardly so often. */
const mostTries = 20;

/** Returns the name of a table's file. */
export const tableFileName = (table: TableName, month: string, collection: string): string =>
  `v1/${table}/month=${month}/${collection}.parquet`;

/**
 * Adds steps to a month's files of a collection, each exactly once, whatever other runs do.
 * @param month such as 2026-01
 * @param sourcesOf returns the rows of a step for tables that lack it. A table without a source does not get the step.
 * @throws StoreError
 */
export async function addToMonth<Step extends TableStep>(
  store: ObjectStore,
  month: string,
  collection: string,
  tables: readonly TableName[],
  steps: readonly Step[],
  sourcesOf: (step: Step, lacking: readonly TableName[]) => Promise<readonly RowSource[]>,
): Promise<void> {
  for (let tries = 0; tries < mostTries; tries++) {
    const files = await Promise.all(
      tables.map((table) => openFile(store, table, tableFileName(table, month, collection))),
    );
    const lacking = files.filter(({ has }) => steps.some((step) => !has(step)));
    if (lacking.length === 0) return;
    for (const step of steps) {
      const without = lacking.filter(({ has }) => !has(step));
      for (const file of without) if (file.table === "steps") file.begin(step);
      const ofRows = without.filter(({ table }) => table !== "steps");
      if (ofRows.length === 0) continue;
      const names = ofRows.map(({ table }) => table);
      for (const { tables, read } of await sourcesOf(step, names)) {
        const filled = ofRows.filter(({ table }) => tables.includes(table));
        for (const file of filled) file.begin(step);
        if (filled.length > 0)
          for await (const rows of read()) for (const file of filled) file.add(step, rows);
      }
    }
    if (lacking.some(({ isNew }) => isNew)) await describeTables(store);
    const written = await Promise.all(lacking.map((file) => file.write()));
    if (written.every((isWritten) => isWritten)) return;
  }
  throw new Error("Other runs keep changing the tables.");
}

async function openFile(store: ObjectStore, table: TableName, name: string) {
  const stored = await store.getBytes(name);
  const file = await openTableFile(stored?.bytes, table);
  if (file === undefined) throw foreign(store.address(name));
  const here = new Set(file.steps.map((step) => step.join(" ")));
  const added: StepName[] = [];
  const isNew = stored === undefined;
  return {
    table,
    isNew,
    has: (step: TableStep) => here.has(nameOf(step).join(" ")),
    begin(step: TableStep) {
      added.push(nameOf(step));
      if (table === "steps") file.add([stepRow(step)]);
    },
    add(step: TableStep, { commits, files, hunks }: StepRows) {
      const first = stepColumns(step);
      if (table === "commits") file.add(commits.map((row) => ({ ...first, ...row })));
      if (table === "files") file.add(files.map((row) => ({ ...first, to_commit: step.record.to, ...row })));
      if (table === "hunks") file.add(hunks.map((row) => ({ ...first, ...row })));
    },
    /** Returns false where another run has changed the file meanwhile. */
    async write() {
      // A new file is written without a row too: queries of all tables need each.
      if (added.length === 0 && !isNew) return true;
      const content = file.end([...file.steps, ...added]);
      const details = { contentType: "application/vnd.apache.parquet", metadata: {} };
      return (await store.putIf(name, content, stored?.etag, details)) !== undefined;
    },
  };
}

/** Puts beside the tables what they are, unless it is there. Another version of this worker may have written other texts. */
export async function describeTables(store: ObjectStore): Promise<void> {
  const details = { contentType: "text/plain; charset=utf-8", metadata: {} };
  for (const [name, text] of [
    ["v1/README.md", tablesReadme()],
    ["v1/contract.odcs.yaml", dataContract()],
  ] as const) {
    const stored = await store.get(name);
    if (stored?.text !== text) await store.putIf(name, text, stored?.etag, details);
  }
}

const nameOf = ({ repository, record }: TableStep): StepName => [repository, daily, record.number];

const foreign = (address: string) =>
  new StoreError(
    "table-foreign",
    `${address} is no table as this worker has written it.`,
    "Nothing was changed. Move the file away, and run the command tables, which makes it anew.",
  );
