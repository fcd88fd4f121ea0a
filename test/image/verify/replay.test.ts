import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordName } from "../../../image/chain/record.ts";
import { type CollectedRepository, makeCollectedRepository } from "../../fixtures/collected-repository.ts";
import { collectEveryChange, everyChange } from "../../fixtures/every-change.ts";
import { git } from "../../fixtures/git.ts";
import { asConfiguration } from "../../fixtures/repository.ts";

setDefaultTimeout(120_000);

let omitted: CollectedRepository;
let included: CollectedRepository;
beforeAll(async () => {
  [omitted, included] = await Promise.all([collectEveryChange(), collectEveryChange({ BINARY: "include" })]);
});
afterAll(async () => {
  await omitted[Symbol.asyncDispose]();
  await included[Symbol.asyncDispose]();
});

test("every kind of change leads to the right tree, and what is in no diff is named", async () => {
  const { status, events, stderr, left } = await omitted.verify("--replay");
  expect(events).toMatchObject([
    { code: "content-not-stored", level: "note" },
    { event: "verified", holds: true, steps: everyChange.length, replayed: everyChange.length },
    { event: "summary" },
  ]);
  // Of some others the content is in a diff after all, as that of another file.
  const named = [
    "binary",
    "edited elsewhere.bin",
    "gone/file",
    "home.bin",
    "mode.bin",
    'odd "\\012\\377/.gitattributes',
    "shown.hidden",
    "to-bin",
    "to-file",
    "to-text.bin",
  ];
  expect(events[0]?.paths).toEqual(named);
  expect({ status, stderr, left }).toEqual({ status: 0, stderr: "", left: [] });
});

test("with BINARY=include the diffs are everything", async () => {
  const { status, events } = await included.verify("--replay");
  expect(events).toMatchObject([
    { event: "verified", holds: true, notes: 0, replayed: everyChange.length },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
  // By another way: git itself applies them, and every byte of every file is there.
  const folder = await mkdtemp(join(tmpdir(), "applied-"));
  try {
    await git(["init", "--quiet", "--template=", folder]);
    for (const name of await included.diffs()) {
      const env = asConfiguration({ "core.whitespace": "" });
      await git(["apply", "--cached", join(await included.destination(), name)], { cwd: folder, env });
    }
    const tree = (await git(["write-tree"], { cwd: folder })).toString().trim();
    expect(tree).toBe(await included.repository.git("rev-parse", "HEAD^{tree}"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.each([1, 2, 3])("step %d counts alike with binary content and without", async (number) => {
  const [without, whole] = await Promise.all(
    [omitted, included].map(async (collection) => JSON.parse(await collection.read(recordName(number)))),
  );
  expect([without.binary, whole.binary]).toEqual([false, true]);
  const { files, binaryFiles, linesAdded, linesRemoved } = without;
  expect(whole).toMatchObject({ files, binaryFiles, linesAdded, linesRemoved });
  const text = await included.read(whole.diff);
  expect(text).toContain("\nGIT binary patch\n");
  expect(text).not.toContain("\nBinary files ");
});

test("a damaged diff is reported once, and the replay continues where it can", async () => {
  await using damaged = await omitted.copy();
  const { diff } = JSON.parse(await damaged.read(recordName(2)));
  await damaged.remove(diff);
  const { events } = await damaged.verify("--replay");
  expect(events).toMatchObject([
    { code: "diff-missing", object: diff },
    {
      code: "not-replayed",
      level: "note",
      message: expect.stringContaining(`${recordName(2)} to ${recordName(4)}`),
    },
    { event: "verified", replayed: 1 },
    { event: "summary" },
  ]);
});

test("set back by hand, the replay goes back too, and knows what has no content there", async () => {
  await using back = await omitted.copy();
  const { repository } = omitted;
  const [second = ""] = (await repository.git("rev-list", "--reverse", "HEAD")).split("\n").slice(1);
  await back.write("cursor", second);
  expect(await back.collect({ SCHEDULED_TIME: "2026-02-01T00:00:00Z" })).toMatchObject({ status: 0 });
  const { status, events } = await back.verify("--replay");
  expect(events.map(({ event, code }) => code ?? event)).toEqual([
    "cursor-was-set",
    "content-not-stored",
    "verified",
    "summary",
  ]);
  const whole = await omitted.verify("--replay");
  expect(events[1]?.paths).toEqual(whole.events[0]?.paths);
  expect(events[2]?.replayed).toBe(events[2]?.steps);
  expect(status).toBe(0);
});

test("a rewritten history, the old commit still there and then gone, is replayed from the new baseline", async () => {
  await using rewritten = await makeCollectedRepository();
  const { repository } = rewritten;
  const collected = async (content: string) => {
    await repository.write("file", content);
    await repository.commit();
    const { status, events } = await rewritten.collect();
    expect(status).toBe(0);
    return events[0]?.kind;
  };
  expect(await collected("one\n")).toBe("baseline");
  expect(await collected("two\n")).toBe("change");
  await repository.git("reset", "--quiet", "--hard", "HEAD~");
  expect(await collected("another\n")).toBe("rewritten");
  await repository.git("update-ref", "-d", "HEAD");
  await repository.git("reflog", "expire", "--expire=now", "--all");
  await repository.git("gc", "--quiet", "--prune=now");
  expect(await collected("anew\n")).toBe("restarted");
  expect(await collected("and on\n")).toBe("change");
  const { status, events } = await rewritten.verify("--replay");
  expect(events).toMatchObject([
    { event: "verified", holds: true, notes: 0, steps: 5, replayed: 5 },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
});
