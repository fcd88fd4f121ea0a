import type { Since } from "../config/since.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { tableFileName } from "../tables/month.ts";
import { readTable } from "../tables/read-table.ts";
import { addDays } from "./calendar.ts";
import { overview } from "./overview.ts";
import { page } from "./page.ts";
import { type Summary, summarise } from "./summary.ts";

/** What is read of each month. */
const sources = ["steps", "commits", "files"] as const;

/** Another one where what a summary contains has changed. */
const summaryVersion = 1;

interface StoredSummary {
  readonly version: number;
  /** The sizes of the files that it was made of, in bytes: each change makes another one. */
  readonly of: readonly number[];
  readonly summary: Summary;
}

/**
 * Makes the report of a collection's tables. Reads anew only the months that have changed since the last report.
 * @param store the folder of the tables
 * @param since the month that it begins with; the last 365 days unless given
 * @param named the repositories; all unless given
 * @returns undefined where nothing has changed yet
 * @throws StoreError
 */
export async function makeReport(
  store: ObjectStore,
  collection: string,
  {
    since = { days: 365 },
    named,
  }: { readonly since?: Since | undefined; readonly named?: ReadonlySet<string> | undefined } = {},
): Promise<string | undefined> {
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of store.list("v1/")) sizes.set(name, bytes);
  const months = monthsOf([...sizes.keys()], collection);
  const first = "month" in since ? since.month : monthBefore(months.at(-1), since.days);
  const summaries: Summary[] = [];
  for (const month of months.filter((month) => month >= first))
    summaries.push(await readSummary(store, month, collection, sizes));
  const found = overview(summaries, named);
  return found && page(found);
}

/** Returns the months of which there are steps, in order. */
function monthsOf(names: readonly string[], collection: string): string[] {
  const found = names.flatMap(
    (name) => /^v1\/steps\/month=(\d{4}-\d\d)\/(.*)\.parquet$/.exec(name)?.slice(1) ?? [],
  );
  const months = found.filter((_, index) => index % 2 === 0 && found[index + 1] === collection);
  return months.sort();
}

/** Returns the month of so many days before a month begins. */
const monthBefore = (month: string | undefined, days: number): string =>
  month === undefined ? "" : addDays(`${month}-01`, -days).slice(0, 7);

async function readSummary(
  store: ObjectStore,
  month: string,
  collection: string,
  sizes: ReadonlyMap<string, number>,
): Promise<Summary> {
  const name = `v1/_summary/month=${month}/${collection}.json`;
  const of = sources.map((table) => sizes.get(tableFileName(table, month, collection)) ?? 0);
  const stored = await store.get(name);
  const known = parse(stored?.text);
  if (known?.version === summaryVersion && JSON.stringify(known.of) === JSON.stringify(of))
    return known.summary;
  const summary = await summarise(async function* (table, columns) {
    const fileName = tableFileName(table, month, collection);
    const file = await store.getBytes(fileName);
    try {
      if (file) yield* readTable(file.bytes, table, columns);
    } catch {
      throw damaged(store.address(fileName));
    }
  });
  const details = { contentType: "application/json", metadata: {} };
  await store.putIf(
    name,
    JSON.stringify({ version: summaryVersion, of, summary } satisfies StoredSummary),
    stored?.etag,
    details,
  );
  return summary;
}

/** Other runs may write a report at the same time, but hardly so often. */
const mostTries = 5;

/**
 * Makes a report, and stores it in the place of the one before. Makes it again where another run has stored one meanwhile,
 * so that none is replaced by an older one.
 * @returns the report; undefined where there is nothing to show
 * @throws StoreError
 */
export async function writeReport(
  store: ObjectStore,
  name: string,
  make: () => Promise<string | undefined>,
): Promise<string | undefined> {
  for (let tries = 0; tries < mostTries; tries++) {
    const stored = await store.get(name);
    const report = await make();
    if (report === undefined || report === stored?.text) return report;
    const details = { contentType: "text/html; charset=utf-8", metadata: {} };
    if ((await store.putIf(name, report, stored?.etag, details)) !== undefined) return report;
  }
  throw new Error("Other runs keep changing the report.");
}

const damaged = (address: string) =>
  new StoreError(
    "table-damaged",
    `${address} is damaged: its rows cannot be read.`,
    "Restore it from the bucket's versions, or move the month's files away, and run the command tables, which makes them anew.",
  );

function parse(text: string | undefined): StoredSummary | undefined {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
