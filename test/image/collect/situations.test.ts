import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { CompleteStep } from "../../../image/chain/record.ts";
import packageFile from "../../../package.json";
import { readRecords } from "../../fixtures/chain-checker.ts";
import type { FaultRule } from "../../fixtures/faults.ts";
import { type HostOptions, startHost } from "../../fixtures/git-host.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { runWorker, startWorker } from "../../fixtures/worker.ts";

/** The design's table of situations, row by row; a history that was rewritten is in history.test.ts. */
setDefaultTimeout(30_000);
let testbed: Testbed;
let small: Repository;
let large: Repository;

beforeAll(async () => {
  testbed = await openTestbed();
  small = await testbed.repository("small");
  large = await testbed.repository("large", 12_000_000);
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

const git = Bun.which("git");
const operations = () => testbed.aws.calls.map(({ operation }) => operation);
const lastLine = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");

describe("the cursor and the head", () => {
  test("no cursor: a baseline, and the cursor is created", async () => {
    const target = await testbed.target(small, null);
    const ran = await target.run();
    expect(ran).toMatchObject({ status: 0, left: [], stderr: "" });
    expect(ran.events.at(0)).toMatchObject({ event: "collected", kind: "baseline", to: target.to });
    await target.expectCollected();
    expect((await target.cursor())?.version).toBe(1);
  });

  test("the head is the cursor: nothing is stored, and only the two are read", async () => {
    const target = await testbed.target(small, await small.head());
    const ran = await target.run();
    expect(ran).toMatchObject({ status: 0, left: [] });
    expect(ran.events.at(0)).toMatchObject({ event: "unchanged", commit: target.to });
    expect(operations()).toEqual(["GetParameter", "ListObjectsV2"]);
    expect(testbed.host.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /small.git/info/refs",
      "POST /small.git/git-upload-pack",
    ]);
    await target.expectUntouched();
  });

  test("the head differs: its diff is stored, then the cursor that the bash version left is moved", async () => {
    const target = await testbed.target(small);
    expect((await target.run()).status).toBe(0);
    await target.expectCollected();
    const [diff = ""] = await testbed.aws.objects(target.bucket);
    expect(diff).toMatch(/^\d{4}-\d\d-\d\d-\d{4}_[0-9a-f]{7}-[0-9a-f]{7}\.diff$/);
    expect(await target.cursor()).toEqual({ value: target.to, version: 2, type: "String" });
    expect(operations().at(-1)).toBe("PutParameter");
  });

  test("a step's record has all facts", async () => {
    const before = new Date().toISOString();
    const target = await testbed.target(small);
    await target.run();
    const [, record] = (await readRecords(testbed.aws, target.bucket)) as CompleteStep[];
    const diff = await testbed.aws.body(target.bucket, target.diff);
    const tree = (commit: string) => small.git("rev-parse", `${commit}^{tree}`);
    expect(record).toEqual({
      ...{ schemaVersion: 1, state: "complete", number: 2, previous: "_steps/0000000001.json" },
      ...{ repository: testbed.host.url("small"), ref: "refs/heads/main", binary: false, kind: "change" },
      ...{ from: target.from, to: target.to, last: target.from, expected: null, diff: target.diff },
      ...{ fromTree: await tree(target.from), toTree: await tree(target.to), replayTree: null },
      ...{ bytes: diff.length, sha256: createHash("sha256").update(diff).digest("hex") },
      ...{ files: 1, binaryFiles: 0, linesAdded: 1, linesRemoved: 1, commits: 1 },
      ...{
        strategy: "blobless",
        packBytes: expect.any(Number),
        owner: expect.any(String),
        leaseSeconds: 3_660,
      },
      ...{
        gitVersion: Bun.spawnSync(["git", "version"]).stdout.toString().trim().replace("git version ", ""),
      },
      ...{ workerVersion: packageFile.version, scheduled: "2026-01-02T03:04:05.000Z" },
      ...{ cursor: expect.stringMatching(/^1@/), claimed: record?.started ?? "" },
      ...{ started: expect.any(String), finished: expect.any(String) },
    });
    const times = [before, record?.started, record?.finished, new Date().toISOString()];
    expect([...times].sort()).toEqual(times);
    expect(record?.packBytes).toBeGreaterThan(100);
  });

  test("no commit yet: nothing; the first commit is a baseline", async () => {
    await using fresh = await makeRepository({ path: join(testbed.root, "fresh") });
    const empty: Record<string, string> = {
      ...(await testbed.target(small, null)).environment,
      GIT_REPO: testbed.host.url("fresh"),
    };
    const ran = await runWorker(empty);
    expect(ran.events.map(({ event }) => event)).toEqual(["empty", "summary"]);
    expect(ran.status).toBe(0);
    expect(await testbed.aws.objects(empty.RESULTS_BUCKET ?? "")).toEqual([]);
    expect(await testbed.aws.parameter(empty.PARAMETER_NAME ?? "")).toBeUndefined();
    await fresh.write("file", "first\n");
    await fresh.commit();
    const target = await testbed.target(fresh, null);
    expect((await target.run()).events.at(0)).toMatchObject({ event: "collected", kind: "baseline" });
    await target.expectCollected();
  });

  test.each(["HEAD", "8fbbe55", "-", " ", "A".repeat(40), `${"a".repeat(40)} `, "a".repeat(41)])(
    "a cursor that is no commit id: %j",
    async (value) => {
      const target = await testbed.target(small, value);
      const ran = await target.run();
      await target.expectFailed(ran, "cursor-invalid", `"${value}"`);
      expect(ran.events.at(0)?.message).toContain(target.parameter);
    },
  );

  test.each<[string, FaultRule["how"]]>([
    ["denied", { status: 400, code: "AccessDeniedException" }],
    ["throttled to the end", { status: 400, code: "ThrottlingException" }],
    ["cut off", "reset"],
  ])("a cursor that cannot be read, %s, is never a first run", async (_, how) => {
    for (const cursor of [null, undefined]) {
      const target = await testbed.target(small, cursor);
      testbed.aws.fail({ operation: "GetParameter", nth: "all", how });
      await target.expectFailed(await target.run(), "cursor-unreadable", target.parameter);
      testbed.reset();
    }
  });
});

describe("the host", () => {
  const credentials = { user: "user", password: "right" };
  test.each<[string, string, Partial<HostOptions>, Record<string, string>?]>([
    ["wants credentials", "git-denied", { credentials }],
    ["takes other credentials", "git-denied", { credentials }, { GIT_HTTP_CREDENTIALS: "user:wrong" }],
    ["denies", "git-denied", { status: 403 }],
    ["has no repository", "git-not-found", { status: 404 }],
    ["answers 500", "git-unreachable", { status: 500 }],
    ["answers 503 again and again", "host-busy", { status: 503, retryAfter: "0" }],
    ["is not there", "git-unreachable", {}, { GIT_REPO: "http://127.0.0.1:1/closed.git" }],
    ["cuts off the pack", "git-cut-off", { cutAfterBytes: 20_000 }],
    ["never answers", "deadline", { hang: true }, { REPOSITORY_TIMEOUT_SECONDS: "1" }],
    ["is too slow", "deadline", { delayMs: 700 }, { REPOSITORY_TIMEOUT_SECONDS: "1" }],
  ])("%s: %s", async (_, code, options, environment = {}) => {
    const target = await testbed.target(large);
    Object.assign(testbed.host.options, options);
    await target.expectFailed(await target.run(environment), code, "", environment.GIT_REPO);
  });
});

describe("the store", () => {
  const how = { status: 500, code: "InternalError" };
  const body = "<Error><Code>InternalError</Code><Message>We tried.</Message></Error>";
  test.each<[string, "small" | "large", FaultRule]>([
    ["PutObject fails", "small", { operation: "PutObject", how }],
    ["PutObject is cut off", "small", { operation: "PutObject", how: "cut" }],
    ["CreateMultipartUpload fails", "large", { operation: "CreateMultipartUpload", how }],
    ["UploadPart fails", "large", { operation: "UploadPart", how }],
    ["UploadPart is cut off", "large", { operation: "UploadPart", how: "cut" }],
    ["CompleteMultipartUpload fails", "large", { operation: "CompleteMultipartUpload", how }],
    ["it fails with 200", "large", { operation: "CompleteMultipartUpload", how: { status: 200, body } }],
  ])("%s: no object, no unfinished upload; the next run stores it", async (_, size, rule) => {
    const target = await testbed.target({ small, large }[size]);
    testbed.aws.fail({ ...rule, nth: "all" });
    const part = rule.how === "cut" ? "" : "InternalError";
    await target.expectFailed(await target.run(), "store-failed", part);
    testbed.reset();
    expect((await target.run()).status).toBe(0);
    await target.expectCollected();
  });

  test.each([
    ["fails", "exit 1", "git-failed"],
    ["is killed", "kill -9 $$", "git-killed"],
  ])("git %s while its output is uploading: no object, no unfinished upload", async (_, end, code) => {
    const folder = join(testbed.root, end.replaceAll(/\W/g, ""));
    await mkdir(folder);
    const fake = `#!/bin/sh\n[ "$1" = diff ] || exec ${git} "$@"\nyes | head -c 9000000\nsleep 0.3\n${end}\n`;
    await writeFile(join(folder, "git"), fake, { mode: 0o755 });
    const target = await testbed.target(large);
    const ran = await target.run({ PATH: [folder, process.env.PATH].join(delimiter) });
    expect(operations()).toContain("CreateMultipartUpload");
    await target.expectFailed(ran, code, "git diff");
  });

  test("the record cannot be completed, or the cursor not be moved: the next run stores the same again", async () => {
    // The record that takes up the cursor, the claim, and then what completes it, twice.
    const record = [3, 4].map((nth): FaultRule => ({ operation: "PutObject", path: "_steps", nth, how }));
    const cursor: FaultRule[] = [{ operation: "PutParameter", nth: "all", how }];
    for (const rules of [record, cursor]) {
      const target = await testbed.target(small);
      for (const rule of rules) testbed.aws.fail(rule);
      const failed = await target.run();
      expect(failed.status).toBe(1);
      expect(failed.events.at(0)?.code).toBe(rules === record ? "store-failed" : "cursor-unwritable");
      expect(await testbed.aws.objects(target.bucket)).toContain(target.diff);
      expect((await target.cursor())?.value).toBe(target.from);
      testbed.reset();
      expect((await target.run()).status).toBe(0);
      await target.expectCollected();
    }
  });

  test("run twice at once: one step, and the cursor at its end", async () => {
    const target = await testbed.target(large);
    await Promise.all([target.run(), target.run()]);
    await target.expectCollected();
  });

  test.each([
    ["moved", undefined],
    ["created", null],
  ])("a cursor that somebody else %s meanwhile is kept", async (_, cursor) => {
    const target = await testbed.target(small, cursor);
    const theirs = "1".repeat(40);
    const move = () => testbed.aws.putParameter(target.parameter, theirs);
    testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run: move } });
    const ran = await target.run();
    expect(ran.status).toBe(1);
    expect(ran.events.at(0)).toMatchObject({ event: "failed", code: "cursor-moved" });
    expect((await target.cursor())?.value).toBe(theirs);
  });
});

describe("many repositories", () => {
  /** One run of several: the same repository under names and with cursors of their own. */
  async function many(names: string[]) {
    const targets = [];
    for (const name of names) {
      await symlink("small", join(testbed.root, name)).catch(() => {});
      targets.push(await testbed.target(small));
    }
    const entries = targets.map(({ parameter, bucket }, index) => ({
      gitRepo: testbed.host.url(names[index] ?? ""),
      parameterName: parameter,
      resultsBucket: bucket,
    }));
    const { GIT_REPO: _, PARAMETER_NAME: __, RESULTS_BUCKET: ___, ...shared } = targets[0]?.environment ?? {};
    return { targets, entries, environment: () => ({ ...shared, REPOSITORIES: JSON.stringify(entries) }) };
  }

  test("one that fails is named in the last line, and the others are collected", async () => {
    const { targets, entries, environment } = await many(["a", "b", "c"]);
    const [first, broken, last] = targets;
    const gitRepo = testbed.host.url("none");
    Object.assign(entries[1] ?? {}, { gitRepo });
    const ran = await runWorker(environment());
    expect(ran).toMatchObject({ status: 1, left: [] });
    expect(lastLine(ran.stdout)).toMatchObject({
      event: "summary",
      repositories: 3,
      collected: 2,
      failures: 1,
      failed: [gitRepo],
    });
    for (const target of [first, last]) await target?.expectCollected();
    await broken?.expectUntouched();
  });

  test("never more at once than CONCURRENCY", async () => {
    const { targets, environment } = await many(["a", "b", "c", "d", "e"]);
    testbed.host.options.delayMs = 100;
    let most = 0;
    const watch = setInterval(() => {
      const open = testbed.host.requests.filter(({ status }) => status === undefined);
      most = Math.max(most, new Set(open.map(({ path }) => path.split("/")[1])).size);
    }, 5);
    const ran = await runWorker({ ...environment(), CONCURRENCY: "2" });
    clearInterval(watch);
    expect(most).toBe(2);
    expect(ran.status).toBe(0);
    for (const target of targets) await target.expectCollected();
  });

  test("one that hangs does not delay the others", async () => {
    await using hanging = await startHost(testbed.root, { hang: true });
    const { targets, entries, environment } = await many(["a", "b"]);
    const [stuck, other] = targets;
    Object.assign(entries[0] ?? {}, { gitRepo: hanging.url("a") });
    const running = await startWorker({ ...environment(), REPOSITORY_TIMEOUT_SECONDS: "3" });
    while ((await other?.cursor())?.value !== other?.to && running.process.exitCode === null)
      await Bun.sleep(50);
    expect(running.process.exitCode).toBeNull();
    await other?.expectCollected();
    const ran = await running.finished;
    expect(ran.status).toBe(1);
    expect(ran.events.map(({ event, code }) => code ?? event)).toEqual(["collected", "deadline", "summary"]);
    await stuck?.expectUntouched();
  });
});
