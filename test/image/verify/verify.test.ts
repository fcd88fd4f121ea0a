import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { recordName } from "../../../image/chain/record.ts";
import { type CollectedRepository, makeCollectedRepository } from "../../fixtures/collected-repository.ts";
import { collectFiveSteps } from "../../fixtures/five-steps.ts";

setDefaultTimeout(60_000);

let collected: CollectedRepository;
let commits: string[];
let diffs: string[];
beforeAll(async () => {
  ({ collected, commits, diffs } = await collectFiveSteps());
});
afterAll(() => collected[Symbol.asyncDispose]());

const diff = (number: number): string => diffs[number - 1] ?? "";
test("a chain that holds", async () => {
  const { status, events, stderr } = await collected.verify();
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

test("a cursor that was set by hand is always noted, and is not a problem", async () => {
  await using moved = await collected.copy();
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
  await using back = await makeCollectedRepository();
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
    {
      code: "diff-shared",
      level: "note",
      message: expect.stringContaining(`${recordName(2)} and ${recordName(4)}`),
    },
    { event: "verified", holds: true, steps: 4, diffs: 3, replayed: 4 },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
});

test("diffs from before there were records are not taken for strays", async () => {
  await using succeeded = await makeCollectedRepository();
  const { repository } = succeeded;
  await repository.write("file", "one\n");
  const first = await repository.commit();
  expect(await succeeded.collect()).toMatchObject({ status: 0 });
  await succeeded.remove(recordName(1));
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
  await using empty = await makeCollectedRepository();
  const { status, events } = await empty.verify();
  expect(events.map(({ event, code }) => code ?? event)).toEqual([
    "nothing-collected",
    "verified",
    "summary",
  ]);
  expect(status).toBe(0);
});

test("in a terminal: readable lines, and no JSON", async () => {
  await using damaged = await collected.copy();
  await damaged.remove(diff(2));
  const main = join(import.meta.dirname, "../../../image/main.ts");
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
  expect(text).toContain(`✗ ${damaged.repository.path} in ${await damaged.destination()}`);
  expect(text).toContain("5 steps, 3 diffs, ");
  expect(text).toContain(`✗ ${diff(2)}, the diff of ${recordName(2)}, is missing`);
  expect(text).toContain("Restore it");
  expect(text).toContain("0 of 1 verified in");
});
