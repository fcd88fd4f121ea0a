import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeReport } from "../../../image/report/write-report.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import { type Chromium, startChromium } from "../../fixtures/chromium.ts";
import { query } from "../../fixtures/duckdb.ts";
import { makeTables } from "../../fixtures/made-up-tables.ts";
import { missingPrograms } from "../../fixtures/requirements.ts";

setDefaultTimeout(60_000);

const missing = missingPrograms("report", "chromium");
const repositories = [
  "api",
  "web",
  "worker",
  "billing",
  "acme/docs",
  "mobile",
  "infra",
  "data",
  "auth",
  "legacy",
];
const year = { repositories, from: "2025-11-28", days: 365, collection: "local" };

let root: string;
let folder: string;
let path: string;
let html: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "report-"));
  folder = join(root, "tables");
  path = join(root, "report.html");
  const store = folderObjects(folder);
  await makeTables(store, year);
  html = (await makeReport(store, "local")) ?? "";
  await writeFile(path, html);
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("a year of ten repositories is less than 150 KB, in one file without a script", () => {
  expect(Buffer.byteLength(html)).toBeLessThan(150_000);
  expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\son\w+=|https?:/i);
  expect(html).toContain("default-src 'none'");
});

test("the same tables make the same bytes, also from what was summarised before", async () => {
  const store = folderObjects(folder);
  expect(await makeReport(store, "local")).toBe(html);
  await rm(join(folder, "v1/_summary"), { recursive: true });
  expect(await makeReport(store, "local")).toBe(html);
});

test("what another version has summarised is summarised anew", async () => {
  const name = join(folder, "v1/_summary/month=2026-01/local.json");
  const stored = await Bun.file(name).json();
  const other = { ...stored, version: 0, summary: { days: "in another way" } };
  await Bun.write(name, JSON.stringify(other));
  expect(await makeReport(folderObjects(folder), "local")).toBe(html);
  expect(await Bun.file(name).json()).toEqual(stored);
});

test("a file of the tables that cannot be read is named", async () => {
  const name = "v1/files/month=2026-03/local.parquet";
  const content = await readFile(join(folder, name));
  const damaged = Buffer.from(content).fill(0xff, 4, content.length / 2);
  await writeFile(join(folder, name), damaged);
  await rm(join(folder, "v1/_summary"), { recursive: true });
  try {
    await expect(makeReport(folderObjects(folder), "local")).rejects.toMatchObject({
      code: "table-damaged",
      message: expect.stringContaining(join(folder, name)),
    });
  } finally {
    await writeFile(join(folder, name), content);
  }
});

describe.skipIf(missing !== undefined)(`in Chromium${missing ? ` (${missing})` : ""}`, () => {
  let chromium: Chromium;
  beforeAll(async () => {
    chromium = await startChromium();
  });
  afterAll(() => chromium?.[Symbol.asyncDispose]());

  describe.each([
    { width: 1280, height: 900, scheme: "light" },
    { width: 1280, height: 900, scheme: "dark" },
    { width: 390, height: 844, scheme: "light" },
    { width: 390, height: 844, scheme: "dark" },
  ] as const)("%o", (shown) => {
    test("asks for nothing, complains of nothing, and fits the width", async () => {
      const { requests, complaints } = await chromium.open(path, shown);
      expect(requests).toEqual([`file://${path}`]);
      expect(complaints).toEqual([]);
      expect(await chromium.evaluate<number>("document.documentElement.scrollWidth")).toBe(shown.width);
    });

    test("has the contrast that WCAG AA asks for", async () => {
      await chromium.open(path, shown);
      const found = await chromium.evaluate<{ low: string[]; checked: number }>(`(${lowContrast})()`);
      expect(found.low).toEqual([]);
      expect(found.checked).toBeGreaterThan(100);
    });

    test("satisfies axe", async () => {
      await chromium.open(path, shown);
      const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
      await chromium.evaluate(`${source}; 0`);
      const found = await chromium.evaluate<{ id: string; nodes: string[] }[]>(
        `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) })))`,
      );
      expect(found).toEqual([]);
    });

    test("is drawn", async () => {
      await chromium.open(path, shown);
      const [back, add, none] = await chromium.evaluate<string[]>(
        `[getComputedStyle(document.body).backgroundColor, ...['.add', '.l0'].map((mark) => getComputedStyle(document.querySelector(mark)).fill)]`,
      );
      expect(new Set([back, add, none]).size).toBe(3);
      const png = await chromium.screenshot();
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([shown.width, shown.height]);
      // A blank one has a tenth of this.
      expect(png.length).toBeGreaterThan(20_000);
    });
  });

  test("shows the numbers of the tables", async () => {
    await chromium.open(path, { width: 1280, height: 900, scheme: "light" });
    const titles = await chromium.evaluate<string[]>(
      "[...document.querySelectorAll('svg title')].map((title) => title.textContent)",
    );
    const ask = (sql: string) => query(folder, sql);
    const counted =
      "kind = 'change' AND NOT coalesce(is_generated, false) AND NOT coalesce(is_vendored, false)";
    const files = `TABLE(files) JOIN (SELECT repository, number, kind FROM TABLE(steps)) USING (repository, number)`;
    const number = "format('{:,}', sum($)::BIGINT)";
    const weeks = await ask(
      `SELECT 'Week of ' || strftime(date_trunc('week', day), '%-d %b %Y') || ': ' || ${number.replace("$", "lines_added")} || ' lines added, '
       || ${number.replace("$", "lines_removed")} || ' removed' AS title FROM ${files} WHERE ${counted} GROUP BY date_trunc('week', day)`,
    );
    expect(weeks.length).toBeGreaterThan(50);
    for (const { title } of weeks) expect(titles).toContain(String(title));
    const most = await ask(
      `SELECT repository || ': ' || path || ': ' || count(DISTINCT day) || ' days, ' || ${number.replace("$", "lines_added + lines_removed")} || ' lines' AS title
       FROM ${files} WHERE ${counted} GROUP BY repository, path ORDER BY count(DISTINCT day) DESC, sum(lines_added + lines_removed) DESC LIMIT 15`,
    );
    expect(titles.filter((title) => / days?, /.test(title))).toEqual(most.map(({ title }) => String(title)));
    const [hour] = await ask(
      `SELECT count(*)::int AS commits FROM TABLE(commits) WHERE dayname(make_timestamp_ms(epoch_ms(authored_at) + 60000 * author_tz_minutes)) = 'Monday'
       AND hour(make_timestamp_ms(epoch_ms(authored_at) + 60000 * author_tz_minutes)) = 14`,
    );
    expect(titles).toContain(`Mon, 14:00 to 15:00: ${hour?.commits} commits`);
    const [day] = await ask(
      `SELECT format('{:,}', sum(lines_added + lines_removed)::BIGINT) || ' lines in ' || count(*) || ' files' AS text FROM ${files} WHERE ${counted} AND day = '2026-03-03'`,
    );
    expect(titles.find((title) => title.startsWith("3 Mar 2026: "))).toContain(String(day?.text));
    const [folderLines] = await ask(
      `SELECT format('{:,}', sum(lines_added + lines_removed)::BIGINT) AS lines FROM ${files} WHERE ${counted} AND repository = 'api' AND split_part(path, '/', 1) = 'src'`,
    );
    expect(titles).toContain(`api/src: ${folderLines?.lines} lines`);
    // The footer counts what is left out.
    const [left] = await ask(
      `SELECT format('{:,}', sum(lines_added + lines_removed)::BIGINT) AS lines FROM ${files} WHERE kind = 'change' AND (is_generated OR is_vendored)`,
    );
    expect(await chromium.evaluate<string>("document.querySelector('footer').textContent")).toContain(
      `nor ${left?.lines} lines in generated and vendored files`,
    );
  });

  test("each drawing has a name, and its numbers as a table that the keyboard opens", async () => {
    await chromium.open(path, { width: 1280, height: 900, scheme: "light" });
    const figures = await chromium.evaluate<{ label: string; rows: number; summary: number }[]>(
      `[...document.querySelectorAll('figure')].map((figure) => ({
        label: figure.querySelector('svg[role=img]').getAttribute('aria-label'),
        rows: figure.querySelectorAll('details tbody tr').length,
        summary: figure.querySelector('summary').tabIndex,
      }))`,
    );
    expect(figures).toHaveLength(5);
    for (const { label, rows, summary } of figures) {
      expect(label).toMatch(/^[A-Z].{20}/);
      expect(rows).toBeGreaterThan(9);
      expect(summary).toBe(0);
    }
  });

  test("names from repositories are text, whatever is in them", async () => {
    const hostile = `<script>alert(1)</script>"'&\u202egnp.exe`;
    const store = folderObjects(join(root, "hostile"));
    await makeTables(store, { ...year, repositories: [hostile, "<img src=x onerror=alert(1)>"], days: 60 });
    const page = join(root, "hostile.html");
    await writeFile(page, (await makeReport(store, "local")) ?? "");
    const { requests, complaints } = await chromium.open(page, { width: 390, height: 844, scheme: "dark" });
    expect([requests.length, complaints]).toEqual([1, []]);
    expect(await chromium.evaluate<number>("document.querySelectorAll('script, img').length")).toBe(0);
    expect(await chromium.evaluate<string>("document.body.textContent")).toContain(
      `<script>alert(1)</script>"'&\\u202egnp.exe`,
    );
    expect(await chromium.evaluate<number>("document.documentElement.scrollWidth")).toBe(390);
  });
});

/** Runs in the page: compares the colours of texts and marks with what is behind them. */
const lowContrast = `function () {
  const channel = (value) => (value /= 255, value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const back = getComputedStyle(document.body).backgroundColor;
  const low = [];
  let checked = 0;
  const check = (name, front, behind, least) => {
    checked++;
    if (!(ratio(front, behind) >= least)) low.push(name + " " + front + " on " + behind);
  };
  for (const text of document.querySelectorAll("svg text")) {
    const rect = text.classList.contains("in") && !text.classList.contains("name") ? text.parentNode.querySelector("rect") : null;
    check(text.textContent, getComputedStyle(text).fill, rect ? getComputedStyle(rect).fill : back, 4.5);
  }
  for (const element of document.querySelectorAll("h1, h2, p, li, b, th, td, summary")) check(element.textContent, getComputedStyle(element).color, back, 4.5);
  for (const mark of document.querySelectorAll(".add, .del, .bar")) check(mark.getAttribute("class"), getComputedStyle(mark).fill, back, 3);
  return { low, checked };
}`;
