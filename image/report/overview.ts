import type { DaySummary, FileSummary, Summary } from "./summary.ts";

/** What a report shows: some months of some repositories, summed up. */
export interface Overview {
  /** The first and the last day, such as 2026-01-31. The last one has a step. */
  readonly from: string;
  readonly to: string;
  readonly repositories: readonly string[];
  /** Sums of all repositories, by day. Days without a change are not there. */
  readonly days: readonly DayTotal[];
  readonly ofRepositories: readonly { readonly repository: string; readonly days: readonly DaySummary[] }[];
  /** The number of files. */
  readonly fileCount: number;
  /** Those that changed on most days, these first. */
  readonly files: readonly FileSummary[];
  readonly folders: Summary["folders"];
  /** As in a summary. */
  readonly hours: readonly number[];
  /** Those with most commits first. */
  readonly people: readonly { readonly name: string; readonly commits: number }[];
  /** Lines in generated and vendored files. */
  readonly leftOut: number;
}

export type DayTotal = Omit<DaySummary, "repository">;

/** @returns undefined where nothing has changed */
export function overview(
  summaries: readonly Summary[],
  named: ReadonlySet<string> | undefined,
): Overview | undefined {
  const of = <T extends { readonly repository: string }>(list: (summary: Summary) => readonly T[]): T[] =>
    summaries.flatMap(list).filter(({ repository }) => named === undefined || named.has(repository));
  const days = of((summary) => summary.days);
  if (days.length === 0) return undefined;
  const ordered = [...Map.groupBy(days, ({ day }) => day)]
    .map(([day, same]): DayTotal => ({ day, ...total(same) }))
    .sort((a, b) => compare(a.day, b.day));
  const folders = group(
    of((summary) => summary.folders),
    ({ repository, folder }) => `${repository}\0${folder}`,
  );
  const files = group(
    of((summary) => summary.files),
    ({ repository, path }) => `${repository}\0${path}`,
  );
  const people = group(
    of((summary) => summary.people),
    ({ name }) => name,
  );
  const hours = of((summary) => summary.hours);
  return {
    from: ordered[0]?.day ?? "",
    to: ordered.at(-1)?.day ?? "",
    repositories: [...new Set(days.map(({ repository }) => repository))].sort(),
    days: ordered,
    ofRepositories: [...Map.groupBy(days, ({ repository }) => repository)]
      .map(([repository, days]) => ({ repository, days }))
      .sort((a, b) => sumOf(b.days) - sumOf(a.days) || compare(a.repository, b.repository)),
    fileCount: files.length,
    files: topFiles(
      files.map(([first, same]) => ({ ...first, days: sum(same, "days"), lines: sum(same, "lines") })),
    ),
    folders: folders.map(([first, same]) => ({ ...first, lines: sum(same, "lines") })),
    hours: Array.from({ length: 7 * 24 }, (_, hour) =>
      hours.reduce((all, { commits }) => all + (commits[hour] ?? 0), 0),
    ),
    people: people
      .map(([{ name }, same]) => ({ name, commits: sum(same, "commits") }))
      .sort((a, b) => b.commits - a.commits || compare(a.name, b.name)),
    leftOut: sum(days, "leftOut"),
  };
}

/** The files that a report names. */
const filesShown = 15;

/** There may be very many, of which only these few are sorted. */
function topFiles(files: readonly FileSummary[]): FileSummary[] {
  const least =
    Float64Array.from(files, ({ days }) => days)
      .sort()
      .at(-filesShown) ?? 0;
  return files
    .filter(({ days }) => days >= least)
    .sort((a, b) => b.days - a.days || b.lines - a.lines || compare(a.path, b.path))
    .slice(0, filesShown);
}

const total = (days: readonly DaySummary[]) => ({
  commits: sum(days, "commits"),
  files: sum(days, "files"),
  added: sum(days, "added"),
  removed: sum(days, "removed"),
  leftOut: sum(days, "leftOut"),
});

/** Returns the lines that changed. */
export const sumOf = (days: readonly Pick<DaySummary, "added" | "removed">[]): number =>
  sum(days, "added") + sum(days, "removed");

export function sum<Key extends string>(list: readonly { readonly [K in Key]: number }[], key: Key): number {
  return list.reduce((all, one) => all + one[key], 0);
}

const group = <T>(list: readonly T[], key: (one: T) => string): [T, T[]][] =>
  [...Map.groupBy(list, key).values()].flatMap((same) => (same[0] === undefined ? [] : [[same[0], same]]));

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
