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
import { records } from "../../fixtures/chain-checker.ts";
import { openScene, type Scene } from "../../fixtures/random-runs.ts";
import { EMPTY_TREE, makeRepository } from "../../fixtures/repository.ts";
import { openWorld, type World } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);
let world: World;
let scene: Scene;
let seed = 70_000;
/** Two commits that were collected, each by a run of its own. */
let a: string;
let b: string;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  world.reset();
  scene = await openScene(world, ++seed);
  a = await scene.story.repository.head();
  await scene.heal();
  b = await scene.story.commit();
  await scene.heal();
});
afterEach(() => scene[Symbol.asyncDispose]());

const git = (...args: string[]) => scene.story.repository.git(...args);
const forcePush = (commit: string) => git("reset", "--quiet", "--hard", commit);
/** No ref shows it any more, and the host has thrown it away. */
async function forget(): Promise<void> {
  await git("reflog", "expire", "--expire=now", "--all");
  await git("gc", "--quiet", "--prune=now");
}
/** The steps that were stored since the first two. */
const since = async () => (await records(world.aws, scene.place.bucket)).slice(2);
const ends = async () => (await since()).map(({ kind, from, to }) => [kind, from, to]);
/** One run, after which all is well. */
async function collect(): Promise<void> {
  expect(await scene.run()).toMatchObject({ status: "collected" });
  await scene.check();
}

describe("rewritten history", () => {
  test("the old commit is still there: the exact diff between the two", async () => {
    await forcePush(a);
    const c = await scene.story.commit();
    await collect();
    expect(await ends()).toEqual([["rewritten", b, c]]);
  });

  test("the old commit is gone: a new baseline that says what it lost", async () => {
    await forcePush(a);
    const c = await scene.story.commit();
    await forget();
    await collect();
    expect(await ends()).toEqual([["restarted", EMPTY_TREE, c]]);
    expect((await since())[0]?.last).toBe(b);
    const d = await scene.story.commit();
    await collect();
    expect((await ends())[1]).toEqual(["change", c, d]);
  });

  test("the old commit is gone and ON_GONE_COMMIT=fail: an error, until the cursor is set to one that is there", async () => {
    await forcePush(a);
    const c = await scene.story.commit();
    await forget();
    for (let day = 0; day < 2; day++) {
      const ran = await scene.runProcess(() => {}, { ON_GONE_COMMIT: "fail" });
      expect(ran.events[0]).toMatchObject({ event: "failed", code: "commit-gone" });
      expect(await scene.place.cursor()).toMatchObject({ value: b, version: 2 });
    }
    await world.aws.putParameter(scene.place.parameter, a);
    const ran = await scene.runProcess(() => {}, { ON_GONE_COMMIT: "fail" });
    expect(ran.status).toBe(0);
    await scene.check();
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
    const ran = await scene.runProcess(() => {}, following);
    expect(ran.events[0]).toMatchObject({ event: "failed", code: "branch-not-found" });
    expect(await since()).toEqual([]);
    expect((await scene.place.cursor())?.value).toBe(b);
    await git("checkout", "--quiet", "-b", "main");
    const c = await scene.story.commit();
    expect((await scene.runProcess(() => {}, following)).status).toBe(0);
    await scene.check();
    expect(await ends()).toEqual([["rewritten", b, c]]);
  });

  test("the default branch is switched: the step goes from the one to the other, and names it", async () => {
    await git("checkout", "--quiet", "-b", "other", a);
    const c = await scene.story.commit();
    await collect();
    expect(await ends()).toEqual([["rewritten", b, c]]);
    expect((await since())[0]?.ref).toBe("refs/heads/other");
  });

  test("the repository is replaced by an unrelated one: a new baseline", async () => {
    const { path } = scene.story.repository;
    await rm(path, { recursive: true });
    const unrelated = await makeRepository({ path, start: new Date("2025-01-01") });
    await unrelated.write("unrelated", "content\n");
    const c = await unrelated.commit();
    scene.story.trees.set(c, await unrelated.git("rev-parse", "HEAD^{tree}"));
    await collect();
    expect(await ends()).toEqual([["restarted", EMPTY_TREE, c]]);
  });

  test("the branch goes to an unrelated history in the same repository: the exact diff", async () => {
    await git("checkout", "--quiet", "--orphan", "unrelated");
    const c = await scene.story.commit();
    await collect();
    expect(await ends()).toEqual([["rewritten", b, c]]);
  });

  test("back to a commit that was collected, and on again: no loop, and nothing skipped", async () => {
    for (const to of [a, b, a, b]) {
      await forcePush(to);
      await collect();
      expect(await scene.run()).toMatchObject({ status: "unchanged" });
    }
    const c = await scene.story.commit();
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
] as const)("rewritten between the look at the head and the fetch, with protocol %s", (protocol, looking) => {
  /** Lets it happen once the host has told its head, and is asked for the commits. */
  const onFetch = (happen: () => Promise<unknown>) => {
    world.host.requests.length = 0;
    const before = { request: looking + 1, happen };
    Object.assign(world.host.options, { protocol: Number(protocol), before });
  };

  test("the claimed commit is still there: the step ends there, and the next one goes on", async () => {
    const c = await scene.story.commit();
    onFetch(() => forcePush(a).then(scene.story.commit));
    expect(await scene.run()).toMatchObject({ status: "collected" });
    expect(await ends()).toEqual([["change", b, c]]);
    const d = await scene.story.repository.head();
    await collect();
    expect((await ends())[1]).toEqual(["rewritten", c, d]);
  });

  test("the claimed commit is gone: the same step ends at the new head, in name and record", async () => {
    await scene.story.commit();
    onFetch(async () => {
      await forcePush(b);
      await scene.story.commit();
      await forget();
    });
    await collect();
    const d = await scene.story.repository.head();
    expect(await ends()).toEqual([["change", b, d]]);
    expect((await since())[0]?.diff).toEndWith(`_${b.slice(0, 7)}-${d.slice(0, 7)}.diff`);
  });

  test("the claimed commit is gone, and so is the one before: a new baseline of the new head", async () => {
    await scene.story.commit();
    onFetch(async () => {
      await forcePush(a);
      await scene.story.commit();
      await forget();
    });
    await collect();
    expect(await ends()).toEqual([["restarted", EMPTY_TREE, await scene.story.repository.head()]]);
  });

  test("the claimed commit is gone, and the branch back where it was: the step changes nothing", async () => {
    await scene.story.commit();
    onFetch(async () => {
      await forcePush(b);
      await forget();
    });
    await collect();
    expect(await since()).toMatchObject([{ from: b, to: b, diff: null, bytes: 0, state: "complete" }]);
    await scene.story.commit();
    world.aws.calls.length = 0;
    await scene.run();
    expect(world.aws.calls.map(({ operation }) => operation)).not.toContain("ListObjectsV2");
    await scene.check();
  });

  test.each([
    ["told in full", false],
    ["told by its size where diffs may not be read", true],
  ])(
    "killed after the diff was stored, and then both commits are gone: it is the step, %s",
    async (_, denied) => {
      const c = await scene.story.commit();
      scene.dieAt(5, false, () => {});
      expect(await scene.run()).toBeInstanceOf(Error);
      await forcePush(a);
      const d = await scene.story.commit();
      await forget();
      const how = { status: 403, code: "AccessDenied", message: "no" };
      if (denied) world.aws.fail({ operation: "GetObject", path: ".diff", nth: "all", how });
      await scene.heal();
      world.aws.clearFaults();
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
