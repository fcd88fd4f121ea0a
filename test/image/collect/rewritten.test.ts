import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { rm } from "node:fs/promises";
import { readRecords } from "../../fixtures/chain-checker.ts";
import { openRandomRuns, type RandomRuns } from "../../fixtures/random-runs.ts";
import { EMPTY_TREE, makeRepository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);
let testbed: Testbed;
let random: RandomRuns;
let seed = 70_000;
/** Two commits that were collected, each by a run of its own. */
let a: string;
let b: string;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(async () => {
  testbed.reset();
  random = await openRandomRuns(testbed, ++seed);
  a = await random.history.repository.head();
  await random.heal();
  b = await random.history.commit();
  await random.heal();
});
afterEach(() => random[Symbol.asyncDispose]());

const git = (...args: string[]) => random.history.repository.git(...args);
const forcePush = (commit: string) => git("reset", "--quiet", "--hard", commit);
/** No ref shows it any more, and the host has thrown it away. */
async function forget(): Promise<void> {
  await git("reflog", "expire", "--expire=now", "--all");
  await git("gc", "--quiet", "--prune=now");
}
/** The steps that were stored since the first two. */
const since = async () => (await readRecords(testbed.aws, random.target.bucket)).slice(2);
const ends = async () => (await since()).map(({ kind, from, to }) => [kind, from, to]);
/** One run, after which all is well. */
async function collect(): Promise<void> {
  expect(await random.run()).toMatchObject({ status: "collected" });
  await random.check();
}

describe("rewritten history", () => {
  test("the old commit is still there: the exact diff between the two", async () => {
    await forcePush(a);
    const c = await random.history.commit();
    await collect();
    expect(await ends()).toEqual([["rewritten", b, c]]);
  });

  test("the old commit is gone: a new baseline that names it", async () => {
    await forcePush(a);
    const c = await random.history.commit();
    await forget();
    await collect();
    expect(await ends()).toEqual([["restarted", EMPTY_TREE, c]]);
    expect((await since())[0]?.last).toBe(b);
    const d = await random.history.commit();
    await collect();
    expect((await ends())[1]).toEqual(["change", c, d]);
  });

  test("the old commit is gone and ON_GONE_COMMIT=fail: an error, until the cursor is set to one that is there", async () => {
    await forcePush(a);
    const c = await random.history.commit();
    await forget();
    for (let day = 0; day < 2; day++) {
      const ran = await random.runProcess(() => {}, { ON_GONE_COMMIT: "fail" });
      expect(ran.events[0]).toMatchObject({ event: "failed", code: "commit-gone" });
      expect(await random.target.cursor()).toMatchObject({ value: b, version: 2 });
    }
    await testbed.aws.putParameter(random.target.parameter, a);
    const ran = await random.runProcess(() => {}, { ON_GONE_COMMIT: "fail" });
    expect(ran.status).toBe(0);
    await random.check();
    expect(await ends()).toEqual([
      ["change", a, a],
      ["change", a, c],
    ]);
    expect((await since())[0]?.expected).toBe(b);
  });

  test("the branch is deleted, and made again: an error, and then it goes on", async () => {
    await git("checkout", "--quiet", "-b", "other", a);
    await git("branch", "-D", "main");
    const following = { GIT_BRANCH: "main" };
    const ran = await random.runProcess(() => {}, following);
    expect(ran.events[0]).toMatchObject({ event: "failed", code: "branch-not-found" });
    expect(await since()).toEqual([]);
    expect((await random.target.cursor())?.value).toBe(b);
    await git("checkout", "--quiet", "-b", "main");
    const c = await random.history.commit();
    expect((await random.runProcess(() => {}, following)).status).toBe(0);
    await random.check();
    expect(await ends()).toEqual([["rewritten", b, c]]);
  });

  test("the default branch is switched: the step goes from the one to the other, and names it", async () => {
    await git("checkout", "--quiet", "-b", "other", a);
    const c = await random.history.commit();
    await collect();
    expect(await ends()).toEqual([["rewritten", b, c]]);
    expect((await since())[0]?.ref).toBe("refs/heads/other");
  });

  test("the repository is replaced by an unrelated one: a new baseline", async () => {
    const { path } = random.history.repository;
    await rm(path, { recursive: true });
    const unrelated = await makeRepository({ path, start: new Date("2025-01-01") });
    await unrelated.write("unrelated", "content\n");
    const c = await unrelated.commit();
    random.history.trees.set(c, await unrelated.git("rev-parse", "HEAD^{tree}"));
    await collect();
    expect(await ends()).toEqual([["restarted", EMPTY_TREE, c]]);
  });

  test("the branch goes to an unrelated history in the same repository: the exact diff", async () => {
    await git("checkout", "--quiet", "--orphan", "unrelated");
    const c = await random.history.commit();
    await collect();
    expect(await ends()).toEqual([["rewritten", b, c]]);
  });

  test("back to a commit that was collected, and on again: no loop, and nothing skipped", async () => {
    for (const to of [a, b, a, b]) {
      await forcePush(to);
      await collect();
      expect(await random.run()).toMatchObject({ status: "unchanged" });
    }
    const c = await random.history.commit();
    await collect();
    expect(await ends()).toEqual([
      ["rewritten", b, a],
      ["change", a, b],
      ["rewritten", b, a],
      ["change", a, b],
      ["change", b, c],
    ]);
  });
});

describe.each([
  ["2", 2],
  ["0", 1],
] as const)("rewritten between reading the head and fetching, with protocol %s", (protocol, looking) => {
  /** Calls `run` after the host has answered with its head, before it answers with the commits. */
  const onFetch = (run: () => Promise<unknown>) => {
    testbed.host.requests.length = 0;
    const before = { request: looking + 1, run };
    Object.assign(testbed.host.options, { protocol: Number(protocol), before });
  };

  test("the claimed commit is still there: the step ends there, and the next one goes on", async () => {
    const c = await random.history.commit();
    onFetch(() => forcePush(a).then(random.history.commit));
    expect(await random.run()).toMatchObject({ status: "collected" });
    expect(await ends()).toEqual([["change", b, c]]);
    const d = await random.history.repository.head();
    await collect();
    expect((await ends())[1]).toEqual(["rewritten", c, d]);
  });

  test("the claimed commit is gone: the same step ends at the new head, in name and record", async () => {
    await random.history.commit();
    onFetch(async () => {
      await forcePush(b);
      await random.history.commit();
      await forget();
    });
    await collect();
    const d = await random.history.repository.head();
    expect(await ends()).toEqual([["change", b, d]]);
    expect((await since())[0]?.diff).toEndWith(`_${b.slice(0, 7)}-${d.slice(0, 7)}.diff`);
  });

  test("the claimed commit and the one before are gone: a new baseline of the new head", async () => {
    await random.history.commit();
    onFetch(async () => {
      await forcePush(a);
      await random.history.commit();
      await forget();
    });
    await collect();
    expect(await ends()).toEqual([["restarted", EMPTY_TREE, await random.history.repository.head()]]);
  });

  test("the claimed commit is gone, and the branch back where it was: the step changes nothing", async () => {
    await random.history.commit();
    onFetch(async () => {
      await forcePush(b);
      await forget();
    });
    await collect();
    expect(await since()).toMatchObject([{ from: b, to: b, diff: null, bytes: 0, state: "complete" }]);
    await random.history.commit();
    testbed.aws.calls.length = 0;
    await random.run();
    expect(testbed.aws.calls.map(({ operation }) => operation)).not.toContain("ListObjectsV2");
    await random.check();
  });

  test.each([
    ["with all facts", false],
    ["with its size if diffs may not be read", true],
  ])(
    "killed after the diff was stored, and then both commits are gone: it is the step, %s",
    async (_, denied) => {
      const c = await random.history.commit();
      random.dieAt(5, false, () => {});
      expect(await random.run()).toBeInstanceOf(Error);
      await forcePush(a);
      const d = await random.history.commit();
      await forget();
      const how = { status: 403, code: "AccessDenied", message: "no" };
      if (denied) testbed.aws.fail({ operation: "GetObject", path: ".diff", nth: "all", how });
      await random.heal();
      testbed.aws.clearFaults();
      expect(await ends()).toEqual([
        ["change", b, c],
        ["restarted", EMPTY_TREE, d],
      ]);
      const [step] = await since();
      const sha256 = denied ? null : expect.stringMatching(/^[0-9a-f]{64}$/);
      expect(step).toMatchObject({ state: "complete", bytes: expect.any(Number), sha256 });
    },
  );
});
