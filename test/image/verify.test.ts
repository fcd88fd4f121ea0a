import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { readArguments } from "../../image/local.ts";
import { runWorker } from "../helpers/worker.ts";
import { type Collection, openCollection, record } from "./collection.ts";
import { generate } from "./generated.ts";

setDefaultTimeout(60_000);

let healthy: Collection;
let commits: string[];
let diffs: string[];

/** Five steps: a baseline, three changes, and one that changes nothing in sum. */
beforeAll(async () => {
  healthy = await openCollection();
  const { repository } = healthy;
  commits = [];
  for (const content of ["one\n", "two\n", "three\n", "four\n"]) {
    await repository.write("file", content);
    commits.push(await repository.commit());
    expect(await healthy.collect()).toMatchObject({ status: 0, stderr: "" });
  }
  commits.push(await repository.commit("Nothing"));
  expect(await healthy.collect()).toMatchObject({ status: 0 });
  diffs = await healthy.diffs();
  expect(diffs).toHaveLength(4);
});
afterAll(() => healthy[Symbol.asyncDispose]());

const diff = (number: number): string => diffs[number - 1] ?? "";
const unfinished = ({ bytes: _, sha256: __, finished: ___, ...claim }: object & Record<string, unknown>) => ({
  ...claim,
  state: "claimed",
});
const flip = (text: string) => `${text.slice(0, -2)}${text.at(-2) === "X" ? "Y" : "X"}\n`;

test("a chain that holds", async () => {
  const { status, events, stderr } = await healthy.verify();
  expect(events).toMatchObject([
    {
      event: "verified",
      holds: true,
      steps: 5,
      diffs: 4,
      problems: 0,
      notes: 0,
      to: commits[4],
      replayed: null,
    },
    { event: "summary", repositories: 1, verified: 1, problems: 0, notes: 0, failed: [] },
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

type Damage = [
  name: string,
  damage: (collection: Collection) => Promise<unknown>,
  finding: { code: string; level?: string; object: () => string; says?: () => string },
];

const damages: Damage[] = [
  [
    "a deleted diff",
    (collection) => collection.remove(diff(2)),
    { code: "diff-missing", object: () => diff(2), says: () => record(2) },
  ],
  [
    "a diff cut short",
    async (collection) => collection.write(diff(2), (await collection.read(diff(2))).slice(0, -9)),
    { code: "diff-altered", object: () => diff(2), says: () => "bytes instead of" },
  ],
  [
    "a flipped byte in a diff",
    async (collection) => collection.write(diff(3), flip(await collection.read(diff(3)))),
    { code: "diff-altered", object: () => diff(3), says: () => "its SHA-256 is" },
  ],
  [
    "a deleted record between two others",
    (collection) => collection.remove(record(3)),
    { code: "gap", object: () => record(3), says: () => `still there, in ${diff(3)}.` },
  ],
  [
    "two deleted records and the diff of one",
    async (collection) => {
      for (const name of [record(2), record(3), diff(2), diff(3)]) await collection.remove(name);
    },
    { code: "gap", object: () => record(3), says: () => `before that comes ${record(1)}` },
  ],
  [
    "a deleted first record",
    (collection) => collection.remove(record(1)),
    { code: "gap", object: () => record(1), says: () => diff(1) },
  ],
  [
    "deleted last records",
    async (collection) => {
      for (const number of [4, 5]) await collection.remove(record(number));
      await collection.write("cursor", commits[3] ?? "");
    },
    { code: "gap", object: () => record(4), says: () => `still there, in ${diff(4)}.` },
  ],
  [
    "no record at all",
    async (collection) => {
      for (const number of [1, 2, 3, 4, 5]) await collection.remove(record(number));
    },
    { code: "records-missing", object: () => "_steps/", says: () => "4 diffs" },
  ],
  [
    "a record that is no JSON",
    (collection) => collection.write(record(3), "garbage"),
    { code: "record-invalid", object: () => record(3), says: () => `still there, in ${diff(3)}.` },
  ],
  [
    "a record of another schema, the last",
    (collection) => collection.amend(5, (known) => ({ ...known, schemaVersion: 2 })),
    { code: "record-invalid", object: () => record(5), says: () => "schemaVersion" },
  ],
  [
    "a copy of a record under another name",
    async (collection) => collection.write(record(6), await collection.read(record(2))),
    { code: "record-misnamed", object: () => record(6), says: () => "step 2" },
  ],
  [
    "a second record after the same one",
    async (collection) => {
      await collection.write(record(6), await collection.read(record(2)));
      await collection.amend(6, (known) => ({ ...known, number: 6 }));
    },
    { code: "overlap", object: () => record(6), says: () => `${record(6)} and ${record(2)} both follow` },
  ],
  [
    "two records that claim the same diff for different changes",
    async (collection) => {
      await collection.amend(3, (known) => ({ ...known, diff: diff(2) }));
      await collection.remove(diff(3));
    },
    { code: "overlap", object: () => diff(2), says: () => `${record(2)} and ${record(3)}` },
  ],
  [
    "a record that begins elsewhere",
    (collection) => collection.amend(3, (known) => ({ ...known, from: commits[0], last: commits[0] })),
    { code: "gap", object: () => record(3), says: () => `begins at ${commits[0]}` },
  ],
  [
    "a record that contradicts itself",
    (collection) => collection.amend(3, (known) => ({ ...known, from: commits[0] })),
    { code: "record-inconsistent", object: () => record(3), says: () => "contradicts itself" },
  ],
  [
    "a record with another tree",
    (collection) => collection.amend(3, (known) => ({ ...known, fromTree: commits[0] })),
    { code: "record-inconsistent", object: () => record(3), says: () => "tree" },
  ],
  [
    "a record that follows another one than the one before it",
    (collection) => collection.amend(3, (known) => ({ ...known, previous: record(4) })),
    { code: "record-inconsistent", object: () => record(3), says: () => `says that it follows ${record(4)}` },
  ],
  [
    "a diff that no record names",
    (collection) => collection.write("2026-01-02-0000_0000000-1111111.diff", "diff"),
    { code: "orphan", object: () => "2026-01-02-0000_0000000-1111111.diff" },
  ],
  [
    "an unfinished record between two others",
    (collection) => collection.amend(4, unfinished),
    { code: "unfinished", object: () => record(4), says: () => "but steps follow" },
  ],
  [
    "an unfinished last record, its run at work",
    async (collection) => {
      await collection.amend(5, unfinished);
      await collection.write("cursor", commits[3] ?? "");
    },
    { code: "unfinished", level: "note", object: () => record(5), says: () => "may be at work on it until" },
  ],
  [
    "an unfinished last record, its run dead",
    async (collection) => {
      await collection.amend(5, (known) => ({ ...unfinished(known), claimed: "2026-01-01T00:00:00Z" }));
      await collection.write("cursor", commits[3] ?? "");
    },
    { code: "unfinished", level: "note", object: () => record(5), says: () => "failed or died" },
  ],
  [
    "a cursor that is one step behind",
    (collection) => collection.write("cursor", commits[3] ?? ""),
    { code: "cursor-behind", level: "note", object: () => "cursor" },
  ],
  [
    "a cursor that was set elsewhere",
    (collection) => collection.write("cursor", commits[1] ?? ""),
    { code: "cursor-set", level: "note", object: () => "cursor", says: () => commits[1] ?? "" },
  ],
  [
    "a deleted cursor",
    (collection) => collection.remove("cursor"),
    { code: "cursor-missing", level: "note", object: () => "cursor", says: () => commits[4] ?? "" },
  ],
  [
    "a cursor that is no commit",
    (collection) => collection.write("cursor", "HEAD"),
    { code: "cursor-invalid", object: () => "cursor", says: () => '"HEAD"' },
  ],
];

test.each(damages)("%s", async (_, damage, { code, level = "problem", object, says = () => "" }) => {
  await using damaged = await healthy.copy();
  await damage(damaged);
  const { status, events, stderr } = await damaged.verify();
  const findings = events.filter(({ event }) => event === "finding");
  expect(findings.map(({ code, object }) => `${code} ${object}`)).toEqual([
    expect.stringMatching(new RegExp(`^${code} .*${object()}$`)),
  ]);
  expect(findings[0]).toMatchObject({ level, message: expect.stringContaining(says()) });
  expect(findings[0]?.remedy).not.toBe("");
  const holds = level === "note";
  expect(events.at(-2)).toMatchObject({ event: "verified", holds });
  expect({ status, stderr }).toEqual({ status: holds ? 0 : 1, stderr: "" });
});

test("a cursor that was set by hand is told of for ever, and is no mistake", async () => {
  await using moved = await healthy.copy();
  await moved.write("cursor", commits[1] ?? "");
  expect(await moved.collect({ SCHEDULED_TIME: "2026-02-01T00:00:00Z" })).toMatchObject({ status: 0 });
  const { status, events } = await moved.verify();
  expect(events).toMatchObject([
    {
      code: "cursor-was-set",
      level: "note",
      message: expect.stringContaining(`from ${commits[4]} to ${commits[1]}`),
    },
    { event: "verified", holds: true, notes: 1 },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
});

test("there and back again within a minute is one diff for two steps, and no mistake", async () => {
  await using back = await openCollection();
  const { repository } = back;
  await repository.write("file", "one\n");
  const one = await repository.commit();
  await repository.write("file", "two\n");
  const two = await repository.commit();
  for (const commit of [one, two, one, two]) {
    await repository.git("reset", "--quiet", "--hard", commit);
    expect(await back.collect({ SCHEDULED_TIME: "2026-02-01T00:00:00Z" })).toMatchObject({ status: 0 });
  }
  expect(await back.diffs()).toHaveLength(3);
  const { status, events } = await back.verify("--replay");
  expect(events).toMatchObject([
    { code: "diff-shared", level: "note", message: expect.stringContaining(`${record(2)} and ${record(4)}`) },
    { event: "verified", holds: true, steps: 4, diffs: 3, replayed: 4 },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
});

test("diffs from before there were records are not taken for strays", async () => {
  await using succeeded = await openCollection();
  const { repository } = succeeded;
  await repository.write("file", "one\n");
  const first = await repository.commit();
  expect(await succeeded.collect()).toMatchObject({ status: 0 });
  await succeeded.remove(record(1));
  await repository.write("file", "two\n");
  await repository.commit();
  expect(await succeeded.collect()).toMatchObject({ status: 0 });
  expect(await succeeded.read("cursor")).not.toContain(first);
  const { status, events } = await succeeded.verify();
  expect(events).toMatchObject([
    { code: "older-diffs", level: "note" },
    { event: "verified", holds: true },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
});

test("nothing collected yet", async () => {
  await using empty = await openCollection();
  const { status, events } = await empty.verify();
  expect(events.map(({ event, code }) => code ?? event)).toEqual([
    "nothing-collected",
    "verified",
    "summary",
  ]);
  expect(status).toBe(0);
});

test("in a terminal: readable lines, and no JSON", async () => {
  await using damaged = await healthy.copy();
  await damaged.remove(diff(2));
  const main = join(import.meta.dirname, "../../image/main.ts");
  const command = [process.execPath, main, "local", "verify", damaged.repository.path].join(" ");
  const terminal = spawn("script", ["-qec", command, "/dev/null"], {
    cwd: damaged.folder,
    env: { PATH: process.env.PATH, HOME: damaged.folder, TERM: "xterm" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const chunk of terminal.stdout) text += chunk;
  text = stripVTControlCharacters(text);
  expect(text).not.toContain('{"');
  expect(text).toContain(`✗ file://${damaged.repository.path} in ${await damaged.place()}`);
  expect(text).toContain("5 steps, 3 diffs, ");
  expect(text).toContain(`✗ ${diff(2)}, the diff of ${record(2)}, is missing`);
  expect(text).toContain("Restore it");
  expect(text).toContain("0 of 1 verified in");
});

test("ten thousand steps are verified within seconds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "many-"));
  try {
    const repository = join(folder, "many.git");
    await mkdir(repository);
    const [{ place = "" } = {}] = readArguments([repository], {}, folder);
    await generate(repository, place, 10_000);
    const { events, seconds } = await runWorker({}, { cwd: folder, args: ["local", "verify", repository] });
    expect(events[0]).toMatchObject({ event: "verified", holds: true, steps: 10_000, diffs: 10_000 });
    expect(seconds).toBeLessThan(20);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
