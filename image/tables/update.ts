import { type Failure, isFailure, StoreError } from "../lib/errors.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { addToMonth, describeTables } from "./month.ts";
import { makeRows, type RowSource, storedRows } from "./row-sources.ts";
import { type TableName, tableNames } from "./schema.ts";
import { dayOf } from "./step-row.ts";
import { readSteps, type TableRepository } from "./table-repository.ts";

export interface Updated {
  /** The number of steps that were looked at. */
  readonly steps: number;
  /** Why a host did not send what rows are made of, by the repository's name. These rows are lacking still. */
  readonly failures: ReadonlyMap<string, Failure>;
}

interface Progress {
  readonly numbers: Readonly<Record<string, number>>;
  readonly etag: string | undefined;
}

const readAtOnce = 16;

/**
 * Adds to a collection's tables every complete step that they lack: also those of a run that was killed.
 * @param store the folder of the tables
 * @param options whether there is the table of hunks, and whether to look at all steps and to make rows of those without any
 * @param onProgress receives a line for each step that is added
 * @throws StoreError
 */
export async function updateTables(
  store: ObjectStore,
  collection: string,
  repositories: readonly TableRepository[],
  { hunks, search = false }: { readonly hunks: boolean; readonly search?: boolean },
  onProgress: (line: string) => void = () => {},
): Promise<Updated> {
  const progressName = `v1/_progress/${collection}.json`;
  const { numbers, etag } = await readProgress(store, progressName);
  const found = await inParallel(repositories, readAtOnce, async (repository) => {
    const steps = await readSteps(repository, search ? 0 : (numbers[repository.name] ?? 0));
    return steps.map((step) => ({ ...step, of: repository }));
  });
  const steps = found
    .flat()
    .sort((a, b) => compare(a.repository, b.repository) || a.record.number - b.record.number);
  const failures = new Map<string, Failure>();
  if (steps.length === 0) {
    // Begun, also before there is a step.
    if (search) await describeTables(store);
    return { steps: 0, failures };
  }
  const made = async (step: (typeof steps)[number], lacking: readonly TableName[]): Promise<RowSource[]> => {
    // A host that cannot be asked is not asked for each step.
    if (failures.has(step.repository)) return [];
    try {
      return await makeRows(step.of, step.record, lacking);
    } catch (error) {
      if (!isFailure(error) || error instanceof StoreError) throw error;
      failures.set(step.repository, error);
      return [];
    }
  };
  for (const [month, some] of Map.groupBy(steps, ({ record }) => dayOf(record).slice(0, 7))) {
    await addToMonth(store, month, collection, tableNames(hunks), some, async (step, lacking) => {
      onProgress(`Adding step ${step.record.number} of ${step.repository} to the tables of ${month}`);
      const stored = storedRows(step.of, step.record);
      const left = lacking.filter((table) => !stored.some(({ tables }) => tables.includes(table)));
      return search && left.length > 0 ? [...stored, ...(await made(step, left))] : stored;
    });
  }
  const now = { ...numbers };
  for (const { repository, record } of steps) now[repository] = record.number;
  // Where another run was first, the next one finds in the files what it has added, and notes that.
  const details = { contentType: "application/json", metadata: {} };
  await store.putIf(progressName, `${JSON.stringify(now)}\n`, etag, details);
  return { steps: steps.length, failures };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Reads up to which number each repository's steps are in the tables. It saves searching: the files themselves know. */
async function readProgress(store: ObjectStore, name: string): Promise<Progress> {
  const stored = await store.get(name);
  try {
    return { numbers: JSON.parse(stored?.text ?? "{}"), etag: stored?.etag };
  } catch {
    return { numbers: {}, etag: stored?.etag };
  }
}
