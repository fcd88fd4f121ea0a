import type { AnyRow, TableName } from "../tables/schema.ts";

/** What a report needs of some months. Baselines are no changes, and not in it. */
export interface Summary {
  readonly days: readonly DaySummary[];
  readonly files: readonly FileSummary[];
  /** Lines that changed in folders, of at most two names. */
  readonly folders: readonly { repository: string; folder: string; lines: number }[];
  /** Commits by the clocks of their authors: 24 hours of Monday, then of the other days. */
  readonly hours: readonly { repository: string; commits: readonly number[] }[];
  /** Where people are plain. */
  readonly people: readonly { repository: string; name: string; commits: number }[];
}

/** One day of one repository. Generated and vendored files are in `leftOut` alone. */
export interface DaySummary {
  readonly repository: string;
  /** Such as 2026-01-31. */
  readonly day: string;
  readonly commits: number;
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  /** Lines. */
  readonly leftOut: number;
}

export interface FileSummary {
  readonly repository: string;
  readonly path: string;
  /** The number of days on which it changed. */
  readonly days: number;
  readonly lines: number;
}

/** Streams rows of a table, with some columns. */
export type ReadTable = (table: TableName, columns: readonly string[]) => AsyncIterable<AnyRow[]>;

/** A month of 300 repositories may have more files. Above, those that changed on one day alone are left out. */
const mostFiles = 20_000;

type Counters = { -readonly [Key in keyof DaySummary]: DaySummary[Key] };

/** Of one repository. */
interface Counted {
  readonly files: Map<string, { days: number; lines: number }>;
  readonly folders: Map<string, number>;
}

/** Summarises one month. Holds no rows, but one counter for each file. */
export async function summarise(read: ReadTable): Promise<Summary> {
  const days = new Map<string, Counters>();
  const changes = new Set<string>();
  for await (const rows of read("steps", ["repository", "number", "day", "kind", "commits"])) {
    for (const { repository, number, day, kind, commits } of rows) {
      if (kind !== "change" && kind !== "rewritten") continue;
      changes.add(key(repository, number));
      const found = days.get(key(repository, day));
      if (found) found.commits += Number(commits ?? 0);
      else {
        const none = { files: 0, added: 0, removed: 0, leftOut: 0 };
        const named = { repository: String(repository), day: String(day) };
        days.set(key(repository, day), { ...named, ...none, commits: Number(commits ?? 0) });
      }
    }
  }
  const counted = new Map<string, Counted>();
  const columns = ["repository", "number", "day", "path", "lines_added", "lines_removed"];
  // Rows of one step follow each other: what is theirs is looked up once.
  let [repository, number]: unknown[] = [];
  let one: Counters | undefined;
  let of: Counted = { files: new Map(), folders: new Map() };
  for await (const rows of read("files", [...columns, "is_generated", "is_vendored"])) {
    for (const row of rows) {
      if (row.repository !== repository || row.number !== number) {
        [repository, number] = [row.repository, row.number];
        one = changes.has(key(repository, number)) ? days.get(key(repository, row.day)) : undefined;
        const name = String(repository);
        of = counted.get(name) ?? { files: new Map(), folders: new Map() };
        counted.set(name, of);
      }
      if (one === undefined) continue;
      const [added, removed] = [Number(row.lines_added ?? 0), Number(row.lines_removed ?? 0)];
      if (row.is_generated || row.is_vendored) {
        one.leftOut += added + removed;
        continue;
      }
      one.files++;
      one.added += added;
      one.removed += removed;
      // A bit for each day of the month.
      const day = 1 << (Number(one.day.slice(8)) - 1);
      const path = String(row.path);
      const file = of.files.get(path);
      if (file === undefined) of.files.set(path, { days: day, lines: added + removed });
      else {
        file.days |= day;
        file.lines += added + removed;
      }
      const folder = /^(?:[^/]*\/){0,2}/.exec(path)?.[0].slice(0, -1) ?? "";
      of.folders.set(folder, (of.folders.get(folder) ?? 0) + added + removed);
    }
  }
  const all = [...counted].reduce((sum, [, { files }]) => sum + files.size, 0);
  const { hours, people } = await summariseCommits(read);
  return {
    days: [...days.values()],
    files: [...counted].flatMap(([repository, { files }]) =>
      [...files].flatMap(([path, { days, lines }]) => {
        const count = bits(days);
        return all > mostFiles && count === 1 ? [] : [{ repository, path, days: count, lines }];
      }),
    ),
    folders: [...counted].flatMap(([repository, { folders }]) =>
      [...folders].map(([folder, lines]) => ({ repository, folder, lines })),
    ),
    hours,
    people,
  };
}

async function summariseCommits(read: ReadTable): Promise<Pick<Summary, "hours" | "people">> {
  const hours = new Map<string, number[]>();
  const people = new Map<string, number>();
  const columns = ["repository", "authored_at", "author_tz_minutes", "author_name"];
  for await (const rows of read("commits", columns)) {
    for (const { repository, authored_at, author_tz_minutes, author_name } of rows) {
      if (authored_at !== null) {
        const local = new Date(Date.parse(String(authored_at)) + 60_000 * Number(author_tz_minutes ?? 0));
        const of = hours.get(String(repository)) ?? Array<number>(7 * 24).fill(0);
        const at = ((local.getUTCDay() + 6) % 7) * 24 + local.getUTCHours();
        of[at] = (of[at] ?? 0) + 1;
        hours.set(String(repository), of);
      }
      if (author_name !== null) {
        const name = key(repository, author_name);
        people.set(name, (people.get(name) ?? 0) + 1);
      }
    }
  }
  return {
    hours: [...hours].map(([repository, commits]) => ({ repository, commits })),
    people: [...people].map(([both, commits]) => {
      const [repository, name] = parts(both);
      return { repository, name, commits };
    }),
  };
}

const key = (repository: unknown, other: unknown) => `${repository}\0${other}`;

function parts(name: string): [string, string] {
  const end = name.indexOf("\0");
  return [name.slice(0, end), name.slice(end + 1)];
}

function bits(number: number): number {
  let count = 0;
  for (let rest = number >>> 0; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
}
