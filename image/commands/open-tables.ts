import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Repository } from "../config/repository.ts";
import type { TablesSettings } from "../config/tables.ts";
import type { RowSettings } from "../lib/row-settings.ts";
import { makeReport, writeReport } from "../report/write-report.ts";
import type { RunReport } from "../run/report.ts";
import type { ObjectStore, Stores } from "../stores/stores.ts";
import type { TableRepository } from "../tables/table-repository.ts";
import { updateTables } from "../tables/update.ts";
import type { Collected } from "./collected.ts";

/** Where a run's tables are, and how it makes them. */
export interface Tables {
  store(signal: AbortSignal): ObjectStore;
  /** Names its files. */
  readonly collection: string;
  readonly rows: RowSettings;
  /** Where the report of them is. */
  report(signal: AbortSignal): { readonly store: ObjectStore; readonly name: string };
  /** Whether each run that adds something writes the report anew. */
  readonly isReported: boolean;
  /** Returns how tables see a repository. */
  repository(repository: Repository, objects: ObjectStore): TableRepository;
}

/**
 * Adds to the tables what they lack of a run's repositories, and makes their report. Reports every failure. Returns false where
 * it is one of the tables: a report can be made again at any time.
 * @param storesOf opens stores anew: those of a repository that has failed read nothing more
 */
export async function addToTables(
  tables: Tables | undefined,
  collected: Collected,
  storesOf: (repository: Repository, signal: AbortSignal) => Stores,
  report: RunReport,
  signal: AbortSignal,
): Promise<boolean> {
  if (tables === undefined || collected.size === 0 || signal.aborted) return true;
  const store = tables.store(signal);
  try {
    const repositories = collected.tabled(tables.repository, (repository) => storesOf(repository, signal));
    const { steps } = await updateTables(store, tables.collection, repositories, tables.rows);
    if (steps > 0 && tables.isReported) await renewReport(tables, report, signal);
    return true;
  } catch (error) {
    report.tablesFailed(store.address(""), error);
    return false;
  }
}

async function renewReport(tables: Tables, report: RunReport, signal: AbortSignal): Promise<void> {
  const { store, name } = tables.report(signal);
  try {
    await writeReport(store, name, () => makeReport(tables.store(signal), tables.collection));
  } catch (error) {
    report.reportFailed(store.address(name), error);
  }
}

/** The tables in a bucket. */
export function workerTables(
  { destination, collection, rows }: TablesSettings,
  objects: (destination: string, signal: AbortSignal) => ObjectStore,
): Tables {
  const [bucket = ""] = destination.split("/");
  // Beside the results, whose names are below the same prefix.
  const prefix = `${dirname(destination)}/`;
  return {
    store: (signal) => objects(destination, signal),
    report: (signal) => ({ store: objects(destination, signal), name: `report/${collection}.html` }),
    isReported: true,
    collection,
    rows,
    repository: ({ destination: of }, objects) => ({
      name: of.startsWith(prefix) ? of.slice(prefix.length) : of,
      objects,
      keyOf: (name) => `${of.slice(bucket.length + 1)}/${name}`,
    }),
  };
}

/**
 * The tables of this computer, beside the results.
 * @param folder of the results
 * @param rows how rows are made; a key that is not given is one that is kept beside the results
 */
export async function localTables(
  folder: string,
  rows: RowSettings,
  folderObjects: (folder: string) => ObjectStore,
): Promise<Tables> {
  const { privacy, key } = rows.people;
  return {
    store: () => folderObjects(join(folder, "tables")),
    report: () => ({ store: folderObjects(folder), name: "report.html" }),
    isReported: false,
    collection: "local",
    rows: { ...rows, people: { privacy, key: key || (await localKey(join(folder, ".people-key"))) } },
    repository: ({ destination }, objects) => {
      const name = relative(folder, destination);
      return { name, objects, keyOf: (object) => join(name, object) };
    },
  };
}

/** Returns the secret of the hashes of people, which is made once. */
async function localKey(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, randomBytes(32).toString("hex"), { flag: "wx", mode: 0o600 }).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  return readFile(path, "utf8");
}
