import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { addToMonth } from "./month.ts";
import { readRows } from "./rows-file.ts";
import { rowsFromDiff } from "./rows-from-diff.ts";
import { dayOf } from "./step-row.ts";
import { readSteps, type TableRepository } from "./table-repository.ts";

interface Progress {
  readonly numbers: Readonly<Record<string, number>>;
  readonly etag: string | undefined;
}

const readAtOnce = 16;

/**
 * Adds to a collection's tables every complete step that they lack: also those of a run that was killed.
 * @param store the folder of the tables
 * @param search whether to look for all steps, and to make rows of those without any from their diffs
 * @returns the number of steps that were looked at
 * @throws StoreError
 */
export async function updateTables(
  store: ObjectStore,
  collection: string,
  repositories: readonly TableRepository[],
  search = false,
): Promise<{ readonly steps: number }> {
  const progressName = `v1/_progress/${collection}.json`;
  const { numbers, etag } = await readProgress(store, progressName);
  const found = await inParallel(repositories, readAtOnce, async (repository) => ({
    repository,
    steps: await readSteps(repository, search ? 0 : (numbers[repository.name] ?? 0)),
  }));
  const byName = new Map(repositories.map((repository) => [repository.name, repository]));
  const steps = found
    .flatMap(({ steps }) => steps)
    .sort((a, b) => compare(a.repository, b.repository) || a.record.number - b.record.number);
  if (steps.length === 0) return { steps: 0 };
  for (const [month, some] of Map.groupBy(steps, ({ record }) => dayOf(record).slice(0, 7))) {
    await addToMonth(store, month, collection, some, ({ repository, record: { rows, diff } }) => {
      const objects = byName.get(repository)?.objects;
      if (objects === undefined) return undefined;
      if (rows) return readRows(objects, rows);
      return search && diff ? rowsFromDiff(objects, diff) : undefined;
    });
  }
  const now = { ...numbers };
  for (const { repository, record } of steps) now[repository] = record.number;
  // Where another run was first, the next one finds in the files what it has added, and notes that.
  const details = { contentType: "application/json", metadata: {} };
  await store.putIf(progressName, `${JSON.stringify(now)}\n`, etag, details);
  return { steps: steps.length };
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
