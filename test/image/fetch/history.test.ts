import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { collectOnce as collectOf, firstRecords, latin1 } from "../../fixtures/collect-once.ts";
import type { HostOptions } from "../../fixtures/git-host.ts";
import { EMPTY_TREE, makeRepository, oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// The computer may be busy.
setDefaultTimeout(60_000);

let testbed: Testbed;
let repository: Repository;
let number = 0;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(async () => {
  testbed.reset();
  repository = await makeRepository({ path: join(testbed.root, `repository-${++number}`) });
});

const collect = (from: string, environment?: Record<string, string>) =>
  collectOf(testbed, repository, from, environment);
const day = (number: number, hour = 0) => new Date(Date.UTC(2024, 4, number, hour));

/** A commit that changes the file `name`. */
async function commit(name: string, date?: Date): Promise<string> {
  await repository.write(name, `${name} ${randomBytes(8).toString("hex")}\n`);
  return repository.commit(name, { date });
}

/** Commits, one a day from 1 May on; answers the last one. */
async function days(count: number, name = "file"): Promise<string> {
  for (let each = 1; each <= count; each++) await commit(name, day(each));
  return repository.head();
}

const old = { protocol: 0 } as const;
const hosts: [name: string, options: Partial<HostOptions>, strategy: string][] = [
  ["blobless", {}, "blobless"],
  ["blobless, protocol 0", old, "blobless"],
  ["shallow", { filter: false }, "shallow"],
  ["like CodeCommit", { ...old, filter: false, since: false }, "shallow"],
  ["deepened", { ...old, unadvertised: false }, "deepened"],
  ["full", { depth: "unsupported" }, "full"],
];

/** Whatever the host, the kind is right; the count is right, or there is none. */
async function expectStep(from: string, kind: string, options: Partial<HostOptions>, strategy?: string) {
  Object.assign(testbed.host.options, options);
  const { status, event, record, diff, metadata, cursor } = await collect(from);
  const to = await repository.head();
  const commits = Number(await repository.git("rev-list", "--count", `${from}..${to}`));
  expect({ status, event, record }).toMatchObject({
    status: 0,
    event: { event: "collected", kind, from, to },
    record: { kind, from, to, ...(strategy && { strategy }) },
  });
  expect([commits, null]).toContain(record.commits);
  expect(diff).toBe(latin1(await oracle(repository.path, from, to)));
  expect(metadata).toMatchObject({ kind, from, to });
  expect(cursor?.value).toBe(to);
  return record;
}

describe.each(hosts)("on a host %s", (_, options, strategy) => {
  test("commits after the cursor are a change", async () => {
    const from = await days(5);
    await commit("file", day(6));
    await commit("other", day(7));
    expect(await expectStep(from, "change", options, strategy)).toMatchObject({ commits: 2 });
  });

  test("the merge of a topic branch far older than the cursor is a change", async () => {
    await days(3);
    await repository.git("checkout", "--quiet", "-b", "topic");
    for (const each of [4, 5]) await commit("topic", day(each));
    await repository.git("checkout", "--quiet", "main");
    for (const each of [20, 21, 22]) await commit("file", day(each));
    const from = await repository.head();
    await commit("file");
    await repository.git("merge", "--quiet", "--no-ff", "topic");
    await commit("file");
    await expectStep(from, "change", options);
  });

  test("clocks that are some hours wrong make no difference", async () => {
    await days(5);
    const from = await commit("file", day(6, 12));
    for (const hour of [2, 20, 1]) await commit("file", day(6, hour));
    expect(await expectStep(from, "change", options)).toMatchObject({ commits: 3 });
  });
});

const seeing = hosts.filter(
  ([, { unadvertised = true, depth = "obey" }]) => unadvertised && depth === "obey",
);
describe.each(seeing)("where the host %s still has the old commit", (_, options, strategy) => {
  test("a forced push is reported as rewritten, with the exact diff", async () => {
    await days(5);
    const from = await commit("file", day(6));
    await repository.git("reset", "--quiet", "--hard", "HEAD~2");
    await commit("rewritten", day(7));
    await commit("file", day(8));
    await expectStep(from, "rewritten", options, strategy);
  });

  test("a forced push back to an earlier commit is reported as rewritten", async () => {
    const earlier = await days(4);
    await commit("file", day(5));
    const from = await commit("other", day(6));
    await repository.git("reset", "--quiet", "--hard", earlier);
    await expectStep(from, "rewritten", options, strategy);
  });

  test("a branch without common history is reported as rewritten", async () => {
    const from = await days(3);
    await repository.git("checkout", "--quiet", "--orphan", "fresh");
    await commit("fresh", day(4));
    await commit("fresh", day(5));
    await repository.git("branch", "--quiet", "-M", "main");
    await expectStep(from, "rewritten", options, strategy);
  });
});

test.each([
  ["protocol 2", {}, "rewritten"],
  // It serves nothing that only a hidden ref has.
  ["protocol 0, no unadvertised commits", { ...old, unadvertised: false }, "restarted"],
] as const)("a host may hide the ref that keeps the old commit: %s", async (_, options, kind) => {
  await days(3);
  const from = await commit("file", day(4));
  await repository.git("update-ref", "refs/pull/1/head", from);
  await repository.git("reset", "--quiet", "--hard", "HEAD~2");
  const to = await commit("rewritten", day(5));
  Object.assign(testbed.host.options, { ...options, hiddenRefs: "refs/pull" });
  const { status, record, diff } = await collect(from);
  expect(status).toBe(0);
  expect(record).toMatchObject({ state: "complete", kind, to });
  const start = kind === "rewritten" ? from : null;
  expect(diff).toBe(latin1(await oracle(repository.path, start, to)));
});

test("a forced push of more commits than the first depth brings is reported as rewritten, too", async () => {
  await days(25);
  const from = await commit("file", day(26));
  await repository.git("reset", "--quiet", "--hard", "HEAD~23");
  for (let each = 4; each < 30; each++) await commit("rewritten", day(each));
  await expectStep(from, "rewritten", { ...old, filter: false, since: false }, "shallow");
});

describe("where the host no longer has the old commit", () => {
  /** A history with a file of 1 MB that only old commits had, and a forced push that removes the last collected one. */
  async function rewrite(): Promise<{ from: string; to: string }> {
    await repository.write("big", randomBytes(1_000_000));
    await commit("file", day(1));
    await repository.remove("big");
    await days(9);
    const from = await commit("lost", day(10));
    await repository.git("reset", "--quiet", "--hard", "HEAD~3");
    const to = await commit("rewritten", day(11));
    await repository.git("reflog", "expire", "--expire=now", "--all");
    await repository.git("gc", "--quiet", "--prune=now");
    await expect(repository.git("cat-file", "-e", from)).rejects.toThrow();
    return { from, to };
  }

  const refused = { ...old, unadvertised: false } as const;
  test.each([
    ["protocol 2", {}, "shallow"],
    ["protocol 2, without filters", { filter: false }, "shallow"],
    ["protocol 2, without depth", { depth: "unsupported" }, "full"],
    ["protocol 0", old, "shallow"],
    ["protocol 0, tips only", { ...refused, tipOnly: true }, "shallow"],
    ["protocol 0, no unadvertised commits", refused, "shallow"],
    ["protocol 0, without depth", { ...old, depth: "unsupported" }, "full"],
  ] as const)("a new baseline is stored and called restarted: %s", async (_, options, strategy) => {
    const { from, to } = await rewrite();
    Object.assign(testbed.host.options, options);
    const { status, event, names, record, metadata, diff, cursor } = await collect(from);
    expect(status).toBe(0);
    const name = `2026-01-02-0304_4b825dc-${to.slice(0, 7)}`;
    expect(names).toEqual([`${name}.diff`, ...firstRecords]);
    for (const facts of [event, record]) {
      expect(facts).toMatchObject({ kind: "restarted", from: EMPTY_TREE, to, strategy, commits: null });
    }
    expect(metadata).toMatchObject({ kind: "restarted", from: EMPTY_TREE, to });
    expect(diff).toBe(latin1(await oracle(repository.path, null, to)));
    expect(record.bytes).toBeGreaterThan(0);
    expect(cursor).toMatchObject({ value: to, version: 2 });
  });

  test.each([
    ["tips only", { ...refused, tipOnly: true }],
    ["no unadvertised commits", refused],
  ] as const)("a commit that the host has and refuses counts as gone: protocol 0, %s", async (_, options) => {
    await days(3);
    const from = await commit("lost", day(4));
    await repository.git("reset", "--quiet", "--hard", "HEAD~1");
    const to = await commit("rewritten", day(5));
    Object.assign(testbed.host.options, options);
    const { record, diff } = await collect(from);
    expect(record).toMatchObject({ kind: "restarted", from: EMPTY_TREE, to });
    expect(diff).toBe(latin1(await oracle(repository.path, null, to)));
  });

  test("with protocol 2 the old history is not downloaded to find that out", async () => {
    const { from } = await rewrite();
    await collect(from);
    expect(testbed.host.bytesSent).toBeLessThan(10_000);
  });

  test.each([
    ["protocol 2", {}],
    ["protocol 0", old],
  ] as const)("ON_GONE_COMMIT=fail makes it an error that stores no diff: %s", async (_, options) => {
    const { from } = await rewrite();
    Object.assign(testbed.host.options, options);
    const { status, event, names, record, cursor } = await collect(from, { ON_GONE_COMMIT: "fail" });
    expect(status).toBe(1);
    expect(event).toMatchObject({ event: "failed", code: "commit-gone" });
    expect(event?.message).toContain(from);
    // The step is claimed, and free for the next run.
    expect(names).toEqual(firstRecords);
    expect(record).toMatchObject({ state: "claimed", claimed: new Date(0).toISOString() });
    expect(cursor).toMatchObject({ value: from, version: 1 });
  });
});

test("commits are counted right although a commit's message contains a parent line", async () => {
  const repository = await testbed.repository("talk");
  await repository.git("checkout", "-q", "--orphan", "other");
  const first = await repository.commit("Subject\n\nparent class removed");
  for (const text of ["a", "b", "c"]) {
    await repository.write("file", text);
    await repository.commit();
  }
  const target = await testbed.target(repository, first);
  expect((await target.run()).events[0]).toMatchObject({ kind: "change", commits: 3 });
});
