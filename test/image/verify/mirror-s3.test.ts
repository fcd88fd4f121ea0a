import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { CreateBucketCommand, PutObjectRetentionCommand } from "@aws-sdk/client-s3";
import { recordName } from "../../../image/chain/record.ts";
import { bucketMirror, copyMirror, type Mirror, packOfStep } from "../../fixtures/damageable-mirror.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { type Ran, runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

let testbed: Testbed;
let repository: Repository;
let environment: Record<string, string>;
let mirror: Mirror;

/** Three steps, mirrored to S3 by the worker of the container. */
beforeAll(async () => {
  testbed = await openTestbed();
  repository = await makeRepository({ path: `${testbed.root}/repository` });
  const bucket = await testbed.aws.createBucket();
  environment = {
    ...testbed.aws.environment,
    REPOSITORIES: JSON.stringify([
      {
        gitRepo: testbed.host.url("repository"),
        parameterName: "/cursor",
        resultsBucket: `${bucket}/api`,
        collect: ["mirror"],
      },
    ]),
  };
  mirror = bucketMirror(testbed.aws, bucket, "api.git");
  for (const text of ["one", "two", "three"]) await addStep(text);
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

async function addStep(text: string): Promise<Ran> {
  await repository.write(text, `${text}\n`);
  await repository.commit();
  const ran = await runWorker(environment);
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  return ran;
}

const codesOf = ({ events }: Ran) => events.map(({ event, code }) => code ?? event);

test("the worker verifies the mirrors that it is configured for, in parts too", async () => {
  for (const args of [["verify"], ["verify", "--replay"], ["verify", "--replay", "--part", "1/2"]]) {
    const ran = await runWorker(environment, { args });
    expect(codesOf(ran)).toEqual(["verified", "summary"]);
    expect(ran.events[0]).toMatchObject({ repository: testbed.host.url("repository"), steps: 3, packs: 3 });
    expect(ran.status).toBe(0);
  }
});

test("a run that goes on meanwhile gives no false alarm, wherever it comes in between", async () => {
  for (const path of [recordName(3), "HEAD", "info/refs", "objects/info/packs", "/cursor"]) {
    let ran: Promise<Ran> | undefined;
    testbed.aws.fail({
      operation: "GetObject",
      path,
      how: {
        run: () => {
          testbed.aws.clearFaults();
          ran = addStep(`during ${path.replaceAll("/", " ")}`);
          return ran;
        },
      },
    });
    const { events, status } = await mirror.verify();
    expect(await ran).toMatchObject({ status: 0 });
    expect(events.filter(({ level }) => level === "problem")).toEqual([]);
    expect(status).toBe(0);
  }
});

test("the Object Lock that ends first is reported", async () => {
  const Bucket = "locked";
  const CreateBucketConfiguration = { LocationConstraint: "eu-west-1" } as const;
  await testbed.aws.s3.send(
    new CreateBucketCommand({ Bucket, CreateBucketConfiguration, ObjectLockEnabledForBucket: true }),
  );
  const locked = await copyMirror(mirror, bucketMirror(testbed.aws, Bucket, "api.git"));
  expect(codesOf(await locked.verify())).toEqual(["verified", "summary"]);
  const packs = (await locked.names()).filter((name) => name.startsWith("objects/pack/"));
  const first = `objects/pack/${await packOfStep(locked, 2)}.pack`;
  const lock = (name: string, year: number) =>
    testbed.aws.s3.send(
      new PutObjectRetentionCommand({
        Bucket,
        Key: `api.git/${name}`,
        Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.UTC(year, 1, 3)) },
      }),
    );
  for (const name of packs.slice(1)) if (name !== first) await lock(name, 2032);
  await lock(first, 2031);
  const { events, status } = await locked.verify();
  expect(events[0]).toMatchObject({ code: "lock-ends", level: "note", object: first });
  expect(events[0]?.message).toContain("ends at 2031-02-03T00:00:00.000Z");
  expect(events[0]?.message).toContain(`1 of the ${packs.length} objects have no lock`);
  expect(status).toBe(0);
});

test("what cannot be read is a failure, and not a finding", async () => {
  testbed.aws.fail({
    operation: "GetObject",
    path: ".pack",
    nth: "all",
    how: { status: 403, code: "AccessDenied" },
  });
  const ran = await mirror.verify();
  expect(codesOf(ran)).toEqual(["store-denied", "summary"]);
  expect(ran.status).toBe(1);
});

test("a place without a mirror is reported", async () => {
  const { events, status } = await bucketMirror(
    testbed.aws,
    await testbed.aws.createBucket(),
    "no.git",
  ).verify();
  expect(events[0]).toMatchObject({ code: "nothing-mirrored", level: "problem" });
  expect(status).toBe(1);
});
