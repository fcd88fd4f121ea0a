import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { createLockedBucket, type LockedBucket } from "../../fixtures/locked-bucket.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { type Ran, runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

const lockDays = 30;
const day = 86_400_000;
/** The end of today in so many days. */
const inDays = (days: number) => new Date((Math.floor(Date.now() / day) + days + 1) * day);

let testbed: Testbed;
let repository: Repository;
let environment: Record<string, string>;
let bucket: LockedBucket;

/** Three steps, mirrored to a locked bucket by the worker of the container. The first pack has two parts. */
beforeAll(async () => {
  testbed = await openTestbed();
  repository = await makeRepository({ path: `${testbed.root}/repository` });
  bucket = await createLockedBucket(testbed.aws, "locked", lockDays);
  environment = {
    ...testbed.aws.environment,
    AWS_MAX_ATTEMPTS: "1",
    REPOSITORIES: JSON.stringify([
      {
        gitRepo: testbed.host.url("repository"),
        parameterName: "/cursor",
        resultsBucket: `${bucket.name}/api`,
        collect: ["diffs", "mirror"],
      },
    ]),
  };
  for (const bytes of [8 * 1024 ** 2, 10, 10]) {
    await repository.write("file", randomBytes(bytes).toString("latin1"));
    await repository.commit();
    expect(await runWorker({ ...environment, BINARY: "include" })).toMatchObject({ status: 0, stderr: "" });
  }
  const parts = testbed.aws.calls.filter(({ operation }) => operation === "UploadPart");
  expect(parts.filter(({ path }) => path.includes(".pack")).length).toBeGreaterThan(1);
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

const names = () => testbed.aws.objects(bucket.name, "api.git/");
const locks = async () =>
  new Map(await Promise.all((await names()).map(async (name) => [name, await bucket.lockOf(name)] as const)));

const soon = inDays(5);
const far = inDays(lockDays);
const lockAll = async (until: Date) => {
  for (const name of await names()) await bucket.lock(name, until);
};
const args = ["verify", "--replay", "--part", "next/2", "--lock-days", `${lockDays}`];
/** The environment of the stack's drill: without the diffs, which its role cannot read. */
const drillEnvironment = () => ({
  ...environment,
  REPOSITORIES: environment.REPOSITORIES?.replace('"diffs",', "") ?? "",
});
const drill = () => runWorker(drillEnvironment(), { args });
const calls = (operation: string) => testbed.aws.calls.filter((call) => call.operation === operation);
const codesOf = ({ events }: Ran) => events.map(({ event, code }) => code ?? event);

test("what a mirror stores is locked from the beginning", async () => {
  const uploads = calls("CompleteMultipartUpload").map(({ path }) => path.replace("/locked/", ""));
  expect(uploads.length).toBeGreaterThan(0);
  for (const [name, { mode, until }] of await locks()) {
    // The emulator forgets the default lock where an upload has several parts.
    if (uploads.includes(name)) continue;
    expect(mode).toBe("GOVERNANCE");
    expect(until?.getTime()).toBeGreaterThan(Date.now() + (lockDays - 1) * day);
  }
});

test("a drill extends the lock of every object that any state needs, and of no other", async () => {
  await testbed.aws.s3.send(
    new PutObjectCommand({ Bucket: bucket.name, Key: "api.git/lfs/objects/aa/bb/aabb", Body: "large" }),
  );
  await lockAll(soon);
  const diffs = await testbed.aws.objects(bucket.name, "api/");
  for (const name of diffs) await bucket.lock(name, soon);
  const ran = await drill();
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  expect(codesOf(ran)).toEqual(["locks-extended", "verified", "summary"]);
  const found = await locks();
  // 3 packs and indexes, 3 records, the cursor, 3 files that git reads, the LFS object, and what the drill remembers.
  expect(found.size).toBe(15);
  found.delete("api.git/drill");
  expect([
    ...new Set([...found.values()].map(({ mode, until }) => `${mode} ${until?.toISOString()}`)),
  ]).toEqual([`GOVERNANCE ${far.toISOString()}`]);
  for (const name of diffs) expect((await bucket.lockOf(name)).until).toEqual(soon);
});

test("a lock of which half is left costs no request, and the first one to end is reported", async () => {
  await lockAll(far);
  await bucket.lock("api.git/HEAD", inDays(lockDays / 2 + 1));
  testbed.aws.calls.length = 0;
  const ran = await drill();
  expect(ran.events[0]).toMatchObject({ code: "locks-extended", level: "note", object: "HEAD" });
  expect(ran.events[0]?.message).toContain(inDays(lockDays / 2 + 1).toISOString());
  expect(calls("PutObjectRetention")).toEqual([]);
});

test("a drill that is killed half-way is finished by the next one", async () => {
  await lockAll(soon);
  const running = await startWorker(drillEnvironment(), { args });
  let extended = 0;
  testbed.aws.fail({
    operation: "PutObjectRetention",
    nth: "all",
    how: () => {
      if (++extended <= 5) return undefined;
      running.process.kill("SIGKILL");
      return "hang";
    },
  });
  await running.finished;
  const ends = [...(await locks()).values()].map(({ until }) => until?.getTime());
  const left = ends.filter((end) => end === soon.getTime()).length;
  expect(left).toBe(ends.length - 5);
  testbed.reset();
  testbed.aws.calls.length = 0;
  expect((await drill()).status).toBe(0);
  expect(calls("PutObjectRetention").length).toBe(left);
  for (const { until } of (await locks()).values())
    expect(until?.getTime()).toBeGreaterThanOrEqual(far.getTime() - day);
});

test("a version that is published meanwhile keeps its own lock", async () => {
  await lockAll(soon);
  const Key = "api.git/cursor";
  const Body = await testbed.aws.body(bucket.name, Key);
  testbed.aws.fail({
    operation: "HeadObject",
    path: Key,
    how: {
      run: () => testbed.aws.s3.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body })),
      after: true,
    },
  });
  const before = Date.now();
  expect((await drill()).status).toBe(0);
  const { until } = await bucket.lockOf(Key);
  expect(until).not.toEqual(far);
  expect(until?.getTime()).toBeGreaterThan(before + (lockDays - 1) * day);
});

test("drills verify one part after the other, and a part again whose drill failed", async () => {
  const partOf = ({ events }: Ran) => events.find(({ event }) => event === "verified")?.part;
  const first = partOf(await drill());
  const other = first === "1/2" ? "2/2" : "1/2";
  testbed.aws.fail({
    operation: "GetObject",
    path: ".pack",
    nth: "all",
    how: { status: 403, code: "AccessDenied" },
  });
  expect(codesOf(await drill())).toEqual(["store-denied", "summary"]);
  testbed.reset();
  expect([partOf(await drill()), partOf(await drill()), partOf(await drill())]).toEqual([
    other,
    first,
    other,
  ]);
  const remembered = Buffer.from(await testbed.aws.body(bucket.name, "api.git/drill")).toString();
  expect(JSON.parse(remembered)).toEqual({ part: other, step: 3, finished: expect.any(String) });
  const three = await runWorker(drillEnvironment(), { args: ["verify", "--part", "next/3"] });
  expect(partOf(three)).toBe("1/3");
});

test("a damaged pack keeps no lock from being extended", async () => {
  const Key = (await names()).find((name) => name.endsWith(".idx")) ?? "";
  const Body = await testbed.aws.body(bucket.name, Key);
  await testbed.aws.s3.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body: Body.toReversed() }));
  await lockAll(soon);
  const ran = await drill();
  expect(ran.status).toBe(1);
  expect(codesOf(ran)).toContain("index-altered");
  for (const [name, { until }] of await locks()) if (name !== "api.git/drill") expect(until).toEqual(far);
});

test("locks that may not be extended, or that there are none, are told with what to do", async () => {
  await lockAll(soon);
  testbed.aws.fail({ operation: "PutObjectRetention", how: { status: 403, code: "AccessDenied" } });
  const denied = await drill();
  expect(denied.events[0]).toMatchObject({ event: "failed", code: "store-denied" });
  expect(denied.events[0]?.remedy).toContain("s3:PutObjectRetention");
  expect(denied.status).toBe(1);
  const plain = await testbed.aws.createBucket();
  await testbed.aws.s3.send(new PutObjectCommand({ Bucket: plain, Key: "x.git/HEAD", Body: "x" }));
  const place = `s3://${plain}/x.git`;
  const none = await runWorker(testbed.aws.environment, {
    args: ["local", "verify", "--lock-days", "30", place],
  });
  expect(none.events[0]).toMatchObject({ event: "failed", code: "store-unlocked" });
  expect(none.events[0]?.message).toContain(plain);
});
