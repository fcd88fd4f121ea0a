import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { recordName } from "../../../image/chain/record.ts";
import { readRecords } from "../../fixtures/chain-checker.ts";
import { oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

let testbed: Testbed;
let repository: Repository;
let target: Target;
let commits: string[];
let repositories = 0;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());

/** Three steps in a versioned bucket, as the stack makes it. */
beforeEach(async () => {
  repository = await testbed.repository(`quiet-${++repositories}`);
  target = await testbed.target(repository, null);
  await testbed.aws.s3.send(
    new PutBucketVersioningCommand({
      Bucket: target.bucket,
      VersioningConfiguration: { Status: "Enabled" },
    }),
  );
  commits = [];
  for (const content of ["one\n", "two\n", "three\n"]) {
    await push(content);
    expect(await target.run()).toMatchObject({ status: 0 });
  }
});

async function push(content: string) {
  await repository.write("file", content);
  commits.push(await repository.commit());
}

/** Removes objects as a lifecycle rule does. */
async function expire(isExpired: (key: string) => boolean) {
  const keys = (await testbed.aws.objects(target.bucket)).filter(isExpired);
  for (const Key of keys) await testbed.aws.s3.send(new DeleteObjectCommand({ Bucket: target.bucket, Key }));
}

const storedDiffs = async () =>
  (await testbed.aws.objects(target.bucket)).filter((key) => key.endsWith(".diff"));
const verify = () => runWorker(target.environment, { args: ["verify"] });

/** Expects a step from the last collected commit to the newest one, with the oracle's diff. */
async function expectContinued(from = commits.at(-2) ?? "") {
  const { bucket } = target;
  const to = commits.at(-1) ?? "";
  const last = (await readRecords(testbed.aws, bucket)).at(-1);
  expect(last).toMatchObject({ state: "complete", kind: "change", from, to });
  const diff = await testbed.aws.body(bucket, last?.diff ?? "");
  expect(Buffer.compare(diff, await oracle(repository.path, from, to))).toBe(0);
  expect(await target.cursor()).toMatchObject({ value: to });
}

test("a quiet repository whose records have all expired stays unchanged, and continues with its next commit", async () => {
  await expire(() => true);
  const quiet = await target.run();
  expect(quiet.events.map(({ event }) => event)).toEqual(["unchanged", "summary"]);
  expect(await testbed.aws.objects(target.bucket)).toEqual([]);

  await push("four\n");
  const ran = await target.run();
  expect(ran.events.map(({ event }) => event)).toEqual(["collected", "summary"]);
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  await expectContinued();
  // The first one accepts the cursor, the second one has a number that was never used.
  const records = await readRecords(testbed.aws, target.bucket);
  expect(records).toMatchObject([
    { number: 1, previous: null, from: commits[2], to: commits[2], expected: null, diff: null, next: 4 },
    { number: 4, previous: recordName(1), from: commits[2], to: commits[3] },
  ]);
  // No diff was stored again, or over another one.
  const { Versions = [] } = await testbed.aws.s3.send(
    new ListObjectVersionsCommand({ Bucket: target.bucket }),
  );
  const diffs = Versions.filter(({ Key }) => Key?.endsWith(".diff")).map(({ Key }) => Key);
  expect(new Set(diffs).size).toBe(4);
  expect(diffs).toHaveLength(4);

  // From there on, a step costs the same requests as ever.
  await push("five\n");
  testbed.aws.calls.length = 0;
  expect(await target.run()).toMatchObject({ status: 0 });
  expect(testbed.aws.calls.filter(({ operation }) => operation === "ListObjectsV2")).toEqual([]);
  await expectContinued();
  expect((await readRecords(testbed.aws, target.bucket)).map(({ number }) => number)).toEqual([1, 4, 5]);
  const verified = await verify();
  expect(verified.events.map(({ event, code }) => code ?? event)).toEqual(["verified", "summary"]);
  expect(verified.status).toBe(0);

  // And again.
  await expire(() => true);
  await push("six\n");
  expect(await target.run()).toMatchObject({ status: 0 });
  await expectContinued();
  expect((await verify()).status).toBe(0);
});

test("runs that start at once after everything has expired collect once", async () => {
  await expire(() => true);
  await push("four\n");
  const runs = await Promise.all(Array.from({ length: 4 }, () => target.run()));
  expect(runs.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  await expectContinued();
  expect(await storedDiffs()).toHaveLength(1);
  expect(await readRecords(testbed.aws, target.bucket)).toHaveLength(2);
  expect((await verify()).status).toBe(0);
});

test("a chain whose newest record alone is gone continues without a gap", async () => {
  await expire((key) => key === recordName(3));
  await push("four\n");
  expect(await target.run()).toMatchObject({ status: 0, stderr: "" });
  await expectContinued();
  await expire((key) => key === recordName(1) || key === recordName(2));
  await push("five\n");
  expect(await target.run()).toMatchObject({ status: 0, stderr: "" });
  await expectContinued();
});

test("a chain whose beginning has expired continues as ever", async () => {
  await expire((key) => key === recordName(1) || key.includes("_4b825dc-"));
  await push("four\n");
  expect(await target.run()).toMatchObject({ status: 0 });
  await expectContinued();
  expect((await readRecords(testbed.aws, target.bucket)).map(({ number }) => number)).toEqual([2, 3, 4]);
  const verified = await verify();
  expect(verified.events.map(({ event, code }) => code ?? event)).toEqual([
    "beginning-expired",
    "verified",
    "summary",
  ]);
  expect(verified.status).toBe(0);
});

test("a claim that has expired with its step is made again", async () => {
  await push("four\n");
  testbed.aws.fail({
    operation: "PutObject",
    path: ".diff",
    nth: "all",
    how: { status: 403, code: "AccessDenied" },
  });
  expect(await target.run()).toMatchObject({ status: 1 });
  testbed.reset();
  await expire(() => true);
  expect(await target.run()).toMatchObject({ status: 0 });
  await expectContinued();
  expect((await verify()).status).toBe(0);
});
