import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Repository } from "../config/repository.ts";
import type { TablesSettings } from "../config/tables.ts";
import type { RowSettings } from "../lib/row-settings.ts";
import type { RunReport } from "../run/report.ts";
import type { ObjectStore, Stores } from "../stores/stores.ts";
import type { TableRepository } from "../tables/table-repository.ts";
import { updateTables } from "../tables/update.ts";

/** Where a run's tables are, and how it makes them. */
export interface Tables {
  store(signal: AbortSignal): ObjectStore;
  /** Names its files. */
  readonly collection: string;
  readonly rows: RowSettings;
  /** Returns how tables see a repository. */
  repository(repository: Repository, objects: ObjectStore): TableRepository;
}

/** The repositories whose chains a run has looked at, their objects, and the number of their newest step, if it is known. */
export type Collected = Map<Repository, { readonly objects: ObjectStore; readonly last: number | undefined }>;

/** Returns stores that note a repository's newest step: a cursor is written once for each. */
export function noteNumbers(repository: Repository, stores: Stores, collected: Collected): Stores {
  const { cursor, objects } = stores;
  const note = (last: number | undefined) => void collected.set(repository, { objects, last });
  return {
    objects,
    cursor: {
      async read() {
        const found = await cursor.read();
        note(found?.version || undefined);
        return found;
      },
      async move(from, to) {
        await cursor.move(from, to);
        note(undefined);
      },
    },
  };
}

/** Adds to the tables what they lack of a run's repositories. Reports a failure, and returns false then. */
export async function addToTables(
  tables: Tables | undefined,
  collected: Collected,
  report: RunReport,
  signal: AbortSignal,
): Promise<boolean> {
  if (tables === undefined || collected.size === 0 || signal.aborted) return true;
  const store = tables.store(signal);
  try {
    const repositories = [...collected].map(([repository, { objects, last }]) => ({
      ...tables.repository(repository, objects),
      last,
    }));
    await updateTables(store, tables.collection, repositories, tables.rows);
    return true;
  } catch (error) {
    report.tablesFailed(store.address(""), error);
    return false;
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
