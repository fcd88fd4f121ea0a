import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { writeReport } from "../../../image/report/write-report.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { collectEveryChange } from "../../fixtures/every-change.ts";

setDefaultTimeout(60_000);

let collected: CollectedRepository;
beforeAll(async () => {
  // Without tables: the command begins them.
  collected = await collectEveryChange((run) => ({ SCHEDULED_TIME: `2026-0${run + 1}-02T12:00:00Z` }));
});
afterAll(() => collected?.[Symbol.asyncDispose]());

const report = (args: string[] = [], environment: Record<string, string> = {}) =>
  collected.run(["report", ...args], environment);
const page = () => readFile(join(collected.folder, "git-diffs/report.html"), "utf8");
const titleOf = (html: string) => /<title>(.*)<\/title>/.exec(html)?.[1];

test("makes the tables and a page of them, and says where it is", async () => {
  const { status, events } = await report();
  expect(status).toBe(0);
  const path = join(collected.folder, "git-diffs/report.html");
  const html = await page();
  expect(events).toMatchObject([
    { event: "tables", steps: 4 },
    { event: "report", report: path, bytes: Buffer.byteLength(html) },
  ]);
  expect(titleOf(html)).toBe("What changed, 2 Feb 2026 to 2 Apr 2026");
  // People are hashed.
  expect(html).not.toContain("<h2>People</h2>");
  expect((await report()).status).toBe(0);
  expect(await page()).toBe(html);
});

test("shows a person readable lines, and no JSON", async () => {
  const worker = join(import.meta.dirname, "../../../image/main.ts");
  const command = `${process.execPath} ${worker} local report ${collected.repository.path}`;
  const terminal = Bun.spawn(["script", "-qec", command, "/dev/null"], {
    cwd: collected.folder,
    env: { PATH: process.env.PATH, HOME: collected.folder, TERM: "xterm" },
    stdout: "pipe",
  });
  const text = stripVTControlCharacters(await new Response(terminal.stdout).text());
  expect(text).not.toContain('{"');
  expect(text).toMatch(
    /✓ 4 steps in the tables\s+\S+git-diffs\/tables\s+✓ the report, \d+ bytes\s+\S+git-diffs\/report\.html/,
  );
});

test("begins with the month that is asked for", async () => {
  await report(["--since", "2026-03"]);
  expect(titleOf(await page())).toBe("What changed, 2 Mar 2026 to 2 Apr 2026");
  await report(["--since", "1d"]);
  expect(titleOf(await page())).toBe("What changed, 2 Mar 2026 to 2 Apr 2026");
  expect((await report(["--since", "2030-01-01"])).events).toMatchObject([
    { event: "tables" },
    { event: "failed", code: "report-empty" },
  ]);
  const { status, events } = await report(["--since", "yesterday"]);
  expect(status).toBe(2);
  expect(events[0]?.problems).toEqual([
    '--since is "yesterday"; write 365d for the last 365 days, or a month such as 2026-01.',
  ]);
});

test("shows people only where they are plain", async () => {
  const plain = await collectEveryChange(
    (run) => ({ SCHEDULED_TIME: `2026-01-0${run + 1}T12:00:00Z`, PEOPLE: "plain" }),
    {
      tables: true,
    },
  );
  expect((await plain.run(["report"])).status).toBe(0);
  const html = await readFile(join(plain.folder, "git-diffs/report.html"), "utf8");
  expect(html).toContain("<h2>People</h2>");
  expect(html).toMatch(/<td>[^<@]*Author[^<@]*<td class=n>3/i);
  await plain[Symbol.asyncDispose]();
});

test("a report that another run has replaced meanwhile is made again", async () => {
  const store = folderObjects(join(collected.folder, "raced"));
  const details = { contentType: "text/html", metadata: {} };
  const etag = await store.putIf("report.html", "before", undefined, details);
  let made = 0;
  const make = async () => {
    if (++made === 1) await store.putIf("report.html", "of the other run", etag, details);
    return `made ${made} times`;
  };
  expect(await writeReport(store, "report.html", make)).toBe("made 2 times");
  expect((await store.get("report.html"))?.text).toBe("made 2 times");
});
