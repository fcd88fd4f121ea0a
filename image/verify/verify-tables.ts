import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { tableFileName } from "../tables/month.ts";
import { readTable } from "../tables/read-table.ts";
import { type TableName, tableNames } from "../tables/schema.ts";
import { dayOf, stepRow, type TableStep } from "../tables/step-row.ts";
import { readSteps, type TableRepository } from "../tables/table-repository.ts";
import { type Finding, note, problem } from "./finding.ts";
import type { Verification } from "./report.ts";

const readAtOnce = 16;
const differencesShown = 20;

/** What the tables have of one step. */
interface Found {
  steps: number;
  row: string | undefined;
  commits: number;
  files: number;
  hunks: number;
  /** The sum of what the files say. */
  hunksOfFiles: number;
  added: number;
  removed: number;
  /** Up to where the files' parts cover the diff without a gap, in bytes; undefined once there was one. */
  covered: number | undefined;
  /** Where the last part begins. */
  last: number;
}

/**
 * Compares a collection's tables with the records: each step is there once, its row is what its record says, and the rows of
 * its files, commits and hunks add up. @throws StoreError
 */
export async function verifyTables(
  store: ObjectStore,
  collection: string,
  repositories: readonly TableRepository[],
  { hunks }: { readonly hunks: boolean },
  onProgress: (line: string) => void,
): Promise<Verification> {
  const steps = (await inParallel(repositories, readAtOnce, (one) => readSteps(one, 0))).flat();
  const months = Map.groupBy(steps, ({ record }) => dayOf(record).slice(0, 7));
  const findings: Finding[] = [];
  let bytes = 0;
  for (const [month, some] of months) {
    onProgress(`Reading the tables of ${month}`);
    const found = new Map<string, Found>();
    for (const table of tableNames(hunks)) {
      const name = tableFileName(table, month, collection);
      const stored = await store.getBytes(name);
      if (stored === undefined) {
        findings.push(missing(name));
        continue;
      }
      bytes += stored.bytes.length;
      try {
        for await (const rows of readTable(stored.bytes, table))
          for (const row of rows) count(found, table, row);
      } catch {
        findings.push(damaged(name));
      }
    }
    // What is missing with a file is named once.
    if (findings.some(({ object }) => object.includes(`/month=${month}/`))) continue;
    for (const step of some) findings.push(...(await compare(step, found, repositories, hunks)));
    const known = new Set(some.map(keyOf));
    const named = new Set(repositories.map(({ name }) => name));
    for (const key of found.keys()) {
      if (known.has(key) || !named.has(key.split("\0")[0] ?? "")) continue;
      findings.push(foreign(month, key));
    }
    if (findings.length > differencesShown) break;
  }
  return { findings, steps: steps.length, bytes, to: null, replayed: null };
}

const keyOf = ({ repository, record }: TableStep) => `${repository}\0${record.number}`;

const nothing: Readonly<Found> = {
  ...{ steps: 0, row: undefined, commits: 0, files: 0, hunks: 0, hunksOfFiles: 0 },
  ...{ added: 0, removed: 0, covered: 0, last: 0 },
};

function count(found: Map<string, Found>, table: TableName, row: Readonly<Record<string, unknown>>): void {
  const key = `${row.repository}\0${row.number}`;
  const step: Found = found.get(key) ?? { ...nothing };
  found.set(key, step);
  step[table]++;
  if (table === "steps") step.row = JSON.stringify(row);
  if (table !== "files") return;
  const [offset, length] = [Number(row.patch_offset), Number(row.patch_bytes)];
  step.hunksOfFiles += Number(row.hunks);
  step.added += Number(row.lines_added ?? 0);
  step.removed += Number(row.lines_removed ?? 0);
  step.covered = step.covered === offset ? offset + length : undefined;
  step.last = offset;
}

async function compare(
  step: TableStep,
  all: ReadonlyMap<string, Found>,
  repositories: readonly TableRepository[],
  hunks: boolean,
): Promise<Finding[]> {
  const { record, repository } = step;
  const found = all.get(keyOf(step));
  const wrong = (what: string) => differs(step, what);
  if (found === undefined || found.steps === 0) return [behind(step)];
  if (found.steps > 1) return [wrong(`is ${found.steps} times in the table steps`)];
  const findings: Finding[] = [];
  if (found.row !== JSON.stringify(stepRow(step)))
    findings.push(wrong("has a row in the table steps that is not what its record says"));
  const lacks = (["files", "commits"] as const).filter(
    (table) => !record.rows && found[table] === 0 && (record[table] ?? 0) > 0,
  );
  if (lacks.length > 0) findings.push(incomplete(step, lacks));
  if (lacks.includes("files")) return findings;
  const sums = [
    ["commits", found.commits, record.rows?.commits ?? found.commits],
    ["files", found.files, record.rows?.files ?? found.files],
    ["hunks", found.hunks, hunks ? found.hunksOfFiles : found.hunks],
    ["files", found.files, record.files ?? found.files],
    ["lines added", found.added, record.linesAdded ?? found.added],
    ["lines removed", found.removed, record.linesRemoved ?? found.removed],
    ["bytes of its diff", found.covered ?? -1, record.bytes ?? found.covered],
  ] as const;
  const unequal = sums.find(([, is, should]) => is !== should);
  if (unequal) findings.push(wrong(`has ${unequal[1]} ${unequal[0]} in the tables instead of ${unequal[2]}`));
  const objects = repositories.find(({ name }) => name === repository)?.objects;
  if (!unequal && record.diff && objects && found.files > 0) {
    const part = await Array.fromAsync(objects.read(record.diff, { start: found.last, length: mark.length }));
    if (!Buffer.concat(part).equals(mark)) findings.push(wrong("has a patch_offset where no file begins"));
  }
  return findings;
}

const mark = Buffer.from("diff --git ");
const remedy =
  "Move the month's files away, and run `npm start -- tables`, which makes them anew from the records and the diffs.";

const missing = (name: string) =>
  problem("table-missing", name, `${name} is missing, but there are steps of this month.`, remedy);

const damaged = (name: string) =>
  problem("table-damaged", name, `${name} is damaged: its rows cannot be read.`, remedy);

const differs = ({ repository, record }: TableStep, what: string) =>
  problem(
    "table-differs",
    `${repository} ${record.number}`,
    `Step ${record.number} of ${repository} ${what}.`,
    remedy,
  );

const foreign = (month: string, key: string) =>
  problem(
    "table-differs",
    month,
    `The tables of ${month} have rows of step ${key.split("\0")[1]} of ${key.split("\0")[0]}, which has no complete record.`,
    remedy,
  );

const incomplete = ({ repository, record }: TableStep, tables: readonly string[]) =>
  note(
    "table-incomplete",
    `${repository} ${record.number}`,
    `Step ${record.number} of ${repository} was collected without rows, and has none in ${tables.join(" and ")}.`,
    "`npm start -- tables` makes those of files from the diff, and asks the host for commits, which it may have no more.",
  );

const behind = ({ repository, record }: TableStep) =>
  note(
    "table-behind",
    `${repository} ${record.number}`,
    `Step ${record.number} of ${repository} is not in the tables yet.`,
    "The next run adds it.",
  );
