import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { DeleteParameterCommand } from "@aws-sdk/client-ssm";
import { recordName } from "../../../image/chain/record.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import { type Ran, runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

let testbed: Testbed;
let repository: Repository;
let collected: Target;
let commits: string[];
let diffs: string[];
let bucket: string;
let environment: Record<string, string>;

/** Four steps below a prefix, collected by the real worker. */
beforeAll(async () => {
  testbed = await openTestbed();
  repository = await makeRepository({ path: `${testbed.root}/repository` });
  commits = [];
  for (const content of ["one\n", "two\n", "three\n", "four\n"]) {
    await repository.write("file", content);
    commits.push(await repository.commit());
    if (commits.length === 1) collected = await testbed.target(repository, null);
    collected.environment.RESULTS_BUCKET = `${collected.bucket}/some/prefix`;
    expect(await collected.run()).toMatchObject({ status: 0 });
  }
  diffs = (await testbed.aws.objects(collected.bucket)).filter((key) => key.endsWith(".diff"));
  expect(diffs).toHaveLength(4);
});
afterAll(() => testbed.close());

/** The same again, to be damaged. */
beforeEach(async () => {
  const { aws } = testbed;
  testbed.reset();
  bucket = await aws.createBucket();
  environment = {
    ...collected.environment,
    RESULTS_BUCKET: `${bucket}/some/prefix`,
    PARAMETER_NAME: `/copy/${bucket}`,
  };
  for (const key of await aws.objects(collected.bucket))
    await put(key, await aws.body(collected.bucket, key));
  await setCursor(commits[3] ?? "");
});

const verify = (...args: string[]): Promise<Ran> => runWorker(environment, { args: ["verify", ...args] });
const setCursor = (commit: string) => testbed.aws.putParameter(environment.PARAMETER_NAME ?? "", commit);
const put = (Key: string, Body: string | Uint8Array) =>
  testbed.aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
const remove = (Key: string) => testbed.aws.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
const key = (number: number) => `some/prefix/${recordName(number)}`;
const codesOf = ({ events }: Ran) => events.map(({ event, code }) => code ?? event);

test("a chain that holds, replayed, beside other objects", async () => {
  await put("some/prefix/elsewhere/2026-01-02-0000_0000000-1111111.diff", "another repository's");
  await put("2026-01-02-0000_0000000-1111111.diff", "another place's");
  const { status, events, stderr, left } = await verify("--replay");
  expect(events).toMatchObject([
    { event: "verified", holds: true, steps: 4, diffs: 4, replayed: 4, to: commits[3] },
    { event: "summary", verified: 1, failed: [] },
  ]);
  expect({ status, stderr, left }).toEqual({ status: 0, stderr: "", left: [] });
});

const stored = () => testbed.aws.body(bucket, diffs[1] ?? "").then((body) => Buffer.from(body).toString());
const damages: [name: string, damage: () => Promise<unknown>, finding: string, status: number][] = [
  ["a deleted diff", () => remove(diffs[1] ?? ""), "diff-missing", 1],
  ["a shorter diff", async () => put(diffs[1] ?? "", (await stored()).slice(1)), "diff-altered", 1],
  [
    "a changed diff",
    async () => put(diffs[1] ?? "", (await stored()).replace(/.$/s, "X")),
    "diff-altered",
    1,
  ],
  ["a deleted record", () => remove(key(2)), "gap", 1],
  ["a garbage record", () => put(key(2), "{}"), "record-invalid", 1],
  ["a stray diff", () => put("some/prefix/2026-01-02-0000_0000000-1111111.diff", "x"), "orphan", 1],
  ["a cursor set by hand", () => setCursor(commits[0] ?? ""), "cursor-set", 0],
  ["a cursor that is no commit", () => setCursor("HEAD"), "cursor-invalid", 1],
  [
    "a deleted cursor",
    () => testbed.aws.ssm.send(new DeleteParameterCommand({ Name: environment.PARAMETER_NAME })),
    "cursor-missing",
    0,
  ],
];

test.each(damages)("%s", async (_, damage, finding, status) => {
  await damage();
  const ran = await verify();
  expect(codesOf(ran)).toEqual([finding, "verified", "summary"]);
  expect(ran).toMatchObject({ status, stderr: "" });
});

test("many objects are asked for at once", async () => {
  testbed.aws.fail({ operation: "GetObject", nth: "all", how: { delayMs: 1_500 } });
  const { status, seconds } = await verify();
  expect(status).toBe(0);
  // Two waits: for the records, and for the diffs.
  expect(seconds).toBeLessThan(6);
});

test("what cannot be read is a failure, and not a finding", async () => {
  testbed.aws.fail({
    operation: "GetParameter",
    nth: "all",
    how: { status: 400, code: "AccessDeniedException" },
  });
  const ran = await verify();
  expect(codesOf(ran)).toEqual(["cursor-unreadable", "summary"]);
  expect(ran.status).toBe(1);
  testbed.aws.clearFaults();
  testbed.aws.fail({
    operation: "GetObject",
    path: ".diff",
    nth: "all",
    how: { status: 403, code: "AccessDenied" },
  });
  const denied = await verify();
  expect(codesOf(denied)).toEqual(["store-denied", "summary"]);
  expect(denied.events[0]?.message).toContain("read");
});

test("a run that goes on meanwhile gives no false alarm", async () => {
  await repository.write("file", `five\n${Math.random()}`);
  await repository.commit();
  let ran: Promise<Ran> | undefined;
  // Another run collects a step after the records were listed and before the diffs are.
  testbed.aws.fail({
    operation: "GetObject",
    path: recordName(4),
    how: {
      run: () => {
        testbed.aws.clearFaults();
        ran = runWorker(environment);
        return ran;
      },
    },
  });
  const { events } = await verify();
  expect(await ran).toMatchObject({ status: 0 });
  expect(events.filter(({ level }) => level === "problem")).toEqual([]);
});

test("words that the worker does not know start nothing", async () => {
  const calls = testbed.aws.calls.length;
  for (const args of [["verfy"], ["verify", "--replya"], ["--replay"]]) {
    const { status, events } = await runWorker(environment, { args });
    expect(status).toBe(2);
    expect(events.map(({ code }) => code)).toEqual(["configuration"]);
  }
  expect(testbed.aws.calls.length).toBe(calls);
});

test("a verification has a deadline, and ends with a signal", async () => {
  testbed.aws.fail({ operation: "GetObject", path: bucket, nth: "all", how: "hang" });
  const limited = await runWorker({ ...environment, REPOSITORY_TIMEOUT_SECONDS: "1" }, { args: ["verify"] });
  expect(codesOf(limited)).toEqual(["deadline", "summary"]);
  expect(limited).toMatchObject({ status: 1, left: [], stderr: "" });
  expect(limited.seconds).toBeLessThan(10);

  const running = await startWorker(environment, { args: ["verify"] });
  const before = testbed.aws.calls.length;
  while (testbed.aws.calls.length === before) await Bun.sleep(20);
  running.process.kill("SIGTERM");
  const stopped = await running.finished;
  expect(codesOf(stopped)).toEqual(["stopped", "summary"]);
  expect(stopped).toMatchObject({ status: 143, left: [] });
});
