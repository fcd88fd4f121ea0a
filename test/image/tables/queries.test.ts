import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type CollectedRepository, makeCollectedRepository } from "../../fixtures/collected-repository.ts";
import { query } from "../../fixtures/duckdb.ts";
import { git as runGit } from "../../fixtures/git.ts";

setDefaultTimeout(120_000);

const page = readFileSync(join(import.meta.dirname, "../../../docs/tables.md"), "utf8");
const queries = new Map(
  [...page.matchAll(/^### ([A-Z][^\n]*)\n\n(?:[A-Z][^\n]*\n\n)?```sql\n(.*?)```/gms)].map(
    ([, title = "", sql = ""]) => [title, sql],
  ),
);
const [, views = ""] = /begin with:\n\n```sql\n(.*?)```/s.exec(page) ?? [];

let collected: CollectedRepository;
const commits: string[] = [];
const git = (...args: string[]) => collected.repository.git(...args);

/** Collects a history of some days, whose last one was rewritten. */
beforeAll(async () => {
  collected = await makeCollectedRepository();
  // Before there is a step.
  expect(await collected.makeTables()).toMatchObject({ status: 0, events: [{ event: "tables", steps: 0 }] });
  const { repository } = collected;
  const day = async (number: number, ...changes: (() => Promise<unknown>)[]) => {
    for (const change of changes) {
      await change();
      await repository.commit(`Change ${commits.length}\n\nWhy\n\nCo-authored-by: Ann <ann@acme.com>`, {
        date: new Date(Date.UTC(2026, 0, number, 10 + commits.length)),
      });
      commits.push(await repository.head());
    }
    const SCHEDULED_TIME = new Date(Date.UTC(2026, 0, number, 23, 59)).toISOString();
    expect(await collected.collect({ SCHEDULED_TIME, TABLES_HUNKS: "true" })).toMatchObject({
      status: 0,
      stderr: "",
    });
  };
  const write = (path: string, text: string) => () => repository.write(path, text);
  await day(1, write("README.md", "one\n"), write("src/a.ts", "1\n2\n3\n"));
  await day(2, write("src/a.ts", "1\n2\nthree\n4\n"), write("package.json", "{}\n"));
  await day(
    3,
    write("src/b.py", "x = 1\n"),
    write("test/a.test.ts", "t\n"),
    write("package-lock.json", "{}\n{}\n"),
  );
  await day(4, write("src/a.ts", "1\n"), () => git("mv", "README.md", "docs.md"));
  await git("checkout", "--quiet", "-b", "topic");
  await repository.write("src/topic.go", "package x\n");
  await repository.commit("Topic");
  await git("checkout", "--quiet", "main");
  await git("merge", "--quiet", "--no-ff", "--no-edit", "topic");
  await day(5, write("README.md", "again\nand again\n"));
  await git("reset", "--quiet", "--hard", commits.at(-2) ?? "");
  await day(6, write("src/other.rs", "fn main() {}\n"));
});
afterAll(() => collected?.[Symbol.asyncDispose]());

async function ask(title: string): Promise<Record<string, unknown>[]> {
  const sql = queries.get(title);
  if (sql === undefined) throw new Error(`docs/tables.md has no query "${title}".`);
  const connection = await (await DuckDBInstance.create()).connect();
  const here = (sql: string) => sql.replaceAll("git-diffs/", `${collected.folder}/git-diffs/`);
  await connection.run(here(views));
  const rows = (await connection.runAndReadAll(here(sql))).getRowObjectsJson();
  connection.closeSync();
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)])),
  );
}
/** DuckDB gives large integers as texts. */
const plain = (value: unknown) =>
  typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;

interface Step {
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly diff: string | null;
  readonly scheduled: string;
}
/** The steps that are changes, by their records. */
async function steps(...kinds: string[]): Promise<Step[]> {
  const all = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(
      async (number): Promise<Step> => JSON.parse(await collected.read(`_steps/000000000${number}.json`)),
    ),
  );
  return all.filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
}
const dayOf = ({ scheduled }: Step) => scheduled.slice(0, 10);

/** What git says of the files of each change: day, status, lines and path. */
async function changes() {
  const listed = await Promise.all(
    (await steps("change")).map(async (step) => {
      const numbers = await git("diff", "--numstat", "--find-renames", step.from, step.to);
      return numbers.split("\n").map((line) => {
        const [added = "", removed = "", path = ""] = line.split("\t");
        // git prints `old => new` for a rename.
        return {
          day: dayOf(step),
          added: Number(added),
          removed: Number(removed),
          path: path.replace(/^.* => /, ""),
        };
      });
    }),
  );
  return listed.flat();
}
const sum = (numbers: readonly number[]) => numbers.reduce((all, number) => all + number, 0);
const collectedCommits = async () => {
  const listed = await Promise.all(
    (await steps("change", "rewritten")).map(({ from, to }) => git("rev-list", `${from}..${to}`)),
  );
  return listed.join("\n").split("\n");
};

/** The answer to each question, by git alone. */
const answers: Record<string, () => Promise<unknown>> = {
  async "Which folders change most"() {
    const groups = Map.groupBy(await changes(), ({ path }) => path.split("/")[0] ?? "");
    return [...groups]
      .map(([folder, rows]) => ({
        folder,
        changes: rows.length,
        lines: sum(rows.map(({ added, removed }) => added + removed)),
      }))
      .sort((a, b) => b.lines - a.lines || (a.folder < b.folder ? -1 : 1))
      .slice(0, 10);
  },
  async "Which files change on most days"() {
    const rows = (await changes()).filter(({ path }) => path !== "package-lock.json");
    return [...Map.groupBy(rows, ({ path }) => path)]
      .map(([path, rows]) => ({ path, days: new Set(rows.map(({ day }) => day)).size }))
      .sort((a, b) => b.days - a.days || (a.path < b.path ? -1 : 1))
      .slice(0, 10);
  },
  async "Which days were the biggest"() {
    const rows = await changes();
    const days = await Promise.all(
      (await steps("change")).map(async (step) => {
        const own = rows.filter(({ day }) => day === dayOf(step));
        return {
          day: dayOf(step),
          commits: Number(await git("rev-list", "--count", `${step.from}..${step.to}`)),
          added: sum(own.map(({ added }) => added)),
          removed: sum(own.map(({ removed }) => removed)),
        };
      }),
    );
    return days.sort((a, b) => b.added + b.removed - a.added - a.removed || (a.day < b.day ? -1 : 1));
  },
  async "Where history was rewritten"() {
    const [step] = await steps("rewritten");
    return [
      { repository: expect.any(String), day: "2026-01-06", from_commit: step?.from, to_commit: step?.to },
    ];
  },
  async "When people commit, by their own clocks"() {
    const ids = await collectedCommits();
    const dates = await git("log", "--no-walk", "--date=format:%A %H", "--format=%ad", ...ids);
    return [...Map.groupBy(dates.split("\n"), (each) => each)]
      .map(([date, all]) => ({
        weekday: date.split(" ")[0] ?? "",
        hour: Number(date.split(" ")[1]),
        commits: all.length,
      }))
      .sort(
        (a, b) =>
          b.commits - a.commits || (a.weekday < b.weekday ? -1 : a.weekday > b.weekday ? 1 : a.hour - b.hour),
      );
  },
  async "Who commits most"() {
    return [
      { author_id: expect.stringMatching(/^[0-9a-f]{32}$/), commits: (await collectedCommits()).length },
    ];
  },
  async "When each language came"() {
    const added = await Promise.all(
      (await steps()).map(async (step) => {
        const command = ["--name-only", "--diff-filter=A", "--find-renames", step.from, step.to];
        return (await git("diff", ...command)).split("\n").map((path) => ({ path, day: dayOf(step) }));
      }),
    );
    const languages: Record<string, string> = {
      ts: "TypeScript",
      md: "Markdown",
      py: "Python",
      json: "JSON",
      go: "Go",
      rs: "Rust",
    };
    const named = added.flat().flatMap(({ path, day }) => {
      const language = languages[path.split(".").at(-1) ?? ""];
      return language ? [{ language, path, day }] : [];
    });
    return [...Map.groupBy(named, ({ language }) => language)]
      .map(([language, rows]) => ({
        language,
        first: rows.map(({ day }) => day).sort()[0] ?? "",
        files: new Set(rows.map(({ path }) => path)).size,
      }))
      .sort((a, b) => (a.first + a.language < b.first + b.language ? -1 : 1));
  },
  async "Which days touched dependencies"() {
    return (await changes())
      .filter(({ path }) => path.startsWith("package"))
      .map(({ day, path }) => ({ day, repository: expect.any(String), path }));
  },
  async "How much of the change is in tests"() {
    const rows = await changes();
    return [false, true].map((is_test) => {
      const own = rows.filter(({ path }) => path.startsWith("test/") === is_test);
      return { is_test, files: own.length, added: sum(own.map(({ added }) => added)) };
    });
  },
  "What was renamed": async () => [
    { day: "2026-01-04", old_path: "README.md", path: "docs.md", similarity: 100 },
  ],
  async "What share of commits are merges"() {
    const ids = await collectedCommits();
    const merges = await git("rev-list", "--no-walk", "--min-parents=2", ...ids);
    return [{ merges: merges.split("\n").filter(Boolean).length, commits: ids.length }];
  },
  async "Who worked together"() {
    const ids = await collectedCommits();
    const values = await git(
      "log",
      "--no-walk",
      "--format=%(trailers:key=Co-authored-by,valueonly,separator=%x2C)",
      ...ids,
    );
    return [{ trailer: "co-authored-by", commits: values.split("\n").filter(Boolean).length }];
  },
  async "Which files are there now, and since when"() {
    const present = (await git("ls-tree", "-r", "--name-only", "-z", "HEAD")).split("\0").filter(Boolean);
    const touched = await Promise.all(
      (await steps()).map(async (step) => {
        // Without renames, both paths of one are listed.
        const paths = await git("diff", "--name-only", "--no-renames", step.from, step.to);
        return paths.split("\n").map((path) => ({ path, day: dayOf(step) }));
      }),
    );
    return present.sort().map((path) => {
      const days = touched.flat().flatMap((one) => (one.path === path ? [one.day] : []));
      return { repository: expect.any(String), path, first: days.at(0), last: days.at(-1) };
    });
  },
  async "How one file developed"() {
    const listed = await Promise.all(
      (await steps()).map(async (step) => {
        const range = [step.from, step.to, "--", "src/a.ts"];
        const [added = "", removed = ""] = (await git("diff", "--numstat", ...range)).split("\t");
        const [status = ""] = await git("diff", "--name-status", ...range);
        return { day: dayOf(step), status, lines_added: Number(added), lines_removed: Number(removed) };
      }),
    );
    return listed.filter(({ status }) => status !== "");
  },
  async "Which files change together"() {
    const days = [...Map.groupBy(await changes(), ({ day }) => day).values()];
    const pairs = days.flatMap((rows) => {
      const paths = rows.map(({ path }) => path).sort();
      return paths.flatMap((path, index) => paths.slice(index + 1).map((other) => ({ path, other })));
    });
    const groups = Map.groupBy(pairs, ({ path, other }) => `${path} ${other}`);
    return [...groups.values()]
      .map((same) => ({ ...same[0], days: same.length }))
      .sort((a, b) => b.days - a.days || (`${a.path} ${a.other}` < `${b.path} ${b.other}` ? -1 : 1))
      .slice(0, 10);
  },
  async "On which weekdays most lines change"() {
    const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    const groups = Map.groupBy(await changes(), ({ day }) => weekdays[new Date(day).getUTCDay()] ?? "");
    return [...groups]
      .map(([weekday, rows]) => ({ weekday, lines: sum(rows.map(({ added, removed }) => added + removed)) }))
      .sort((a, b) => b.lines - a.lines || (a.weekday < b.weekday ? -1 : 1));
  },
  async "Who committed on most days in a row"() {
    const ids = await collectedCommits();
    const dates = await git("log", "--no-walk", "--format=%at", ...ids);
    const days = [...new Set(dates.split("\n").map((at) => Math.floor(Number(at) / 86_400)))].sort(
      (a, b) => a - b,
    );
    const runs: number[][] = [];
    for (const day of days) {
      const last = runs.at(-1);
      if (last?.at(-1) === day - 1) last.push(day);
      else runs.push([day]);
    }
    const date = (day = 0) => new Date(day * 86_400_000).toISOString().slice(0, 10);
    return runs
      .map((run) => ({
        author_id: expect.any(String),
        ...{ first: date(run.at(0)), last: date(run.at(-1)), days: run.length },
      }))
      .sort((a, b) => b.days - a.days || (a.first < b.first ? -1 : 1));
  },
  "How many people are new each month": async () => [{ month: "2026-01", people: 1 }],
  async "Where in its files a repository changes"() {
    const listed = await Promise.all(
      (await steps("change")).map(({ from, to }) => git("diff", "--find-renames", from, to)),
    );
    const hunks = listed.flatMap((diff) =>
      diff.split(/^diff --git a\/.* b\//m).flatMap((part) => {
        const path = part.slice(0, part.indexOf("\n"));
        return [...part.matchAll(/^@@ \S+ \+(\d+)/gm)].map(([, line]) => ({
          path,
          line: Math.floor(Number(line) / 100) * 100,
        }));
      }),
    );
    return [...Map.groupBy(hunks, ({ path, line }) => `${path} ${line}`).values()]
      .map((same) => ({ ...same[0], hunks: same.length }))
      .sort((a, b) => b.hunks - a.hunks || ((a.path ?? "") < (b.path ?? "") ? -1 : 1))
      .slice(0, 10);
  },
  async "Where one file's patch is"() {
    const step = (await steps("rewritten"))[0];
    const diff = await collected.read(step?.diff ?? "");
    const start = diff.indexOf("diff --git a/README.md b/README.md");
    const end = diff.indexOf("diff --git ", start + 1);
    return [
      {
        diff_key: expect.stringContaining(step?.diff ?? "none"),
        patch_offset: start,
        patch_bytes: (end < 0 ? diff.length : end) - start,
      },
    ];
  },
};

test("each question has an answer here, and no other", () => {
  expect([...queries.keys()].sort()).toEqual(Object.keys(answers).sort());
  expect(queries.size).toBeGreaterThan(10);
});

describe("the query of docs/tables.md gives git's answer", () => {
  test.each(Object.keys(answers))("%s", async (title) => {
    const rows = await ask(title);
    expect(rows).toEqual((await answers[title]?.()) as never);
    expect(rows.length).toBeGreaterThan(0);
  });
});

test("the patch that a row leads to makes the new content of its file", async () => {
  const rows = await query(
    join(collected.folder, "git-diffs/tables"),
    `SELECT from_commit, diff_key, path, blob, patch_offset::int AS start, patch_bytes::int AS length
     FROM TABLE(files) AS f JOIN TABLE(steps) AS s USING (repository, number) WHERE status = 'M' ORDER BY number, position`,
  );
  expect(rows.length).toBeGreaterThan(1);
  for (const row of rows) {
    const { from_commit, diff_key, path, blob, start, length } = row as Record<string, string>;
    const diff = await readFile(join(collected.folder, "git-diffs", diff_key ?? ""));
    const input = diff.subarray(Number(start), Number(start) + Number(length));
    const env = { GIT_INDEX_FILE: join(collected.folder, "index-of-the-test") };
    const git = (args: string[]) => runGit(args, { cwd: collected.repository.path, env, input });
    await git(["read-tree", from_commit ?? ""]);
    await git(["apply", "--cached"]);
    expect((await git(["ls-files", "--stage", path ?? ""])).toString()).toContain(String(blob));
  }
});

test("people are hashed, and no address is in any table", async () => {
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(views.replaceAll("git-diffs/", `${collected.folder}/git-diffs/`));
  const rows = (
    await connection.runAndReadAll("SELECT author_id, committer_id, subject, trailers FROM commits")
  ).getRowObjectsJson();
  expect(rows.length).toBeGreaterThan(5);
  expect(JSON.stringify(rows)).not.toContain("@");
  connection.closeSync();
});
