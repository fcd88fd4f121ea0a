import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { S3Client } from "@aws-sdk/client-s3";
import { choosePacks } from "../../../image/mirror/consolidate.ts";
import { s3Objects } from "../../../image/stores/s3.ts";
import { type Aws, startAws } from "../../fixtures/aws.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { type Random, seededRandom } from "../../fixtures/random-repository.ts";
import { testAll } from "../../fixtures/requirements.ts";

setDefaultTimeout(600_000);
let aws: Aws;
beforeAll(async () => {
  aws = await startAws();
});
afterAll(() => aws.close());

/** Opens an empty bucket, over the emulator's proxy. */
async function openBucket() {
  const client = new S3Client({
    endpoint: aws.endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "not-a-secret" },
    forcePathStyle: true,
  });
  return s3Objects(client, undefined, `${await aws.createBucket()}/api.git`, new AbortController().signal);
}

/** Commits, and now and then rewrites, deletes and creates branches and tags. */
async function advance({ repository }: MirroredRepository, random: Random, number: number): Promise<void> {
  const { git } = repository;
  const rewrites = random(5) === 0 && number > 3;
  if (rewrites) await git("reset", "--quiet", "--hard", "HEAD~2");
  await repository.write(`folder ${random(4)}/file ${random(6)}`, `${number}\n`.repeat(1 + random(200)));
  await repository.commit(`step ${number}`);
  if (number % 5 === 0) await git("branch", `branch-${number}`);
  if (number % 7 === 0) await git("tag", "-a", "-m", "tag", `tag-${number}`);
  if (number % 15 === 0) await git("branch", "-D", `branch-${number - 10}`);
}

const listed = async ({ objects }: MirroredRepository) =>
  (await objects.get("objects/info/packs"))?.text.match(/^P /gm)?.length ?? 0;

/** The first consolidation is in step 32. */
const [steps, stepsWithCloners] = testAll ? [200, 60] : [70, 36];

test(`${steps} steps have at most 36 packs listed, and a clone of below 250 requests; each step stays whole`, async () => {
  await using mirrored = await makeMirroredRepository();
  const random = seededRandom(1);
  const lists: number[] = [];
  for (let number = 1; number <= steps; number++) {
    await advance(mirrored, random, number);
    expect(await mirrored.run()).toMatchObject({ status: "mirrored", steps: [{ number }] });
    lists.push(await listed(mirrored));
    if (number % 20 === 0 || (number > 30 && number < 40)) await mirrored.expectEqual();
  }
  console.log(
    `packs listed: at most ${Math.max(...lists)}, ${lists.reduce((a, b) => a + b) / steps} on average`,
  );
  expect(Math.max(...lists)).toBeGreaterThan(30);
  expect(Math.max(...lists)).toBeLessThanOrEqual(36);
  expect(Math.min(...lists.slice(40))).toBeLessThan(30);
  const before = mirrored.served();
  await mirrored.clone();
  expect(mirrored.served() - before).toBeLessThan(250);
  await mirrored.expectEveryStepWhole();
});

test(`three cloners during ${stepsWithCloners} steps in S3 find a whole repository each time, and nothing is deleted`, async () => {
  await using mirrored = await makeMirroredRepository({}, await openBucket());
  const random = seededRandom(2);
  await advance(mirrored, random, 1);
  await mirrored.run();
  aws.calls.length = 0;
  let [isOver, good] = [false, 0];
  const clone = async () => {
    while (!isOver) {
      expect(await mirrored.clone()).toContain("refs/heads/main");
      good++;
    }
  };
  const cloners = Promise.all([clone(), clone(), clone()]);
  cloners.catch(() => {}); // Thrown below.
  let consolidations = 0;
  for (let number = 2; number <= stepsWithCloners; number++) {
    await advance(mirrored, random, number);
    const outcome = await mirrored.run();
    expect(outcome).toMatchObject({ status: "mirrored", steps: [{ number }] });
    if ("steps" in outcome && outcome.steps.some(({ replaces }) => replaces.length > 0)) consolidations++;
  }
  isOver = true;
  await cloners;
  console.log(`${good} good clones, ${consolidations} consolidations`);
  expect(good).toBeGreaterThan(10);
  expect(consolidations).toBeGreaterThan(0);
  const methods = new Set(aws.calls.map(({ method }) => method));
  expect([...methods].sort()).toEqual(["GET", "PUT"]);
  await mirrored.expectEqual();
  await mirrored.expectEveryStepWhole();
});

test("an unchanged mirror in S3 costs two requests there, and a step as few as it can", async () => {
  await using mirrored = await makeMirroredRepository({}, await openBucket());
  await advance(mirrored, seededRandom(3), 1);
  const count = async () => {
    aws.calls.length = 0;
    const { status } = await mirrored.run();
    return [
      status,
      ...aws.calls.map(({ operation, path }) => `${operation} ${path.split("api.git/")[1] ?? ""}`),
    ];
  };
  await count();
  expect(await count()).toEqual(["unchanged", "GetObject cursor", "ListObjectsV2 "]);
  await advance(mirrored, seededRandom(3), 2);
  const [status, ...calls] = await count();
  expect(status).toBe("mirrored");
  expect(calls.filter((call) => call.startsWith("PutObject"))).toHaveLength(7);
  expect(calls.length).toBeLessThanOrEqual(20);
});

test("an answer of S3 that is lost at any write changes nothing", async () => {
  await using mirrored = await makeMirroredRepository({}, await openBucket());
  const random = seededRandom(4);
  await advance(mirrored, random, 1);
  await mirrored.step();
  for (let write = 1; write <= 7; write++) {
    await advance(mirrored, random, write + 1);
    aws.fail({ operation: "PutObject", nth: write, how: "reset-after" });
    expect(await mirrored.step()).toMatchObject({ status: "mirrored", steps: [{ number: write + 1 }] });
    aws.clearFaults();
  }
  await mirrored.expectEveryStepWhole();
});

describe("the packs that a step takes in", () => {
  const packs = (...sizes: number[]) => sizes.map((bytes, index) => ({ name: `pack-${index}`, bytes }));
  const chosen = (...sizes: number[]) => choosePacks(packs(...sizes), 10).length;

  test("are none while there are few", () => {
    expect(chosen(...Array(31).fill(1))).toBe(0);
    expect(chosen(...Array(32).fill(1))).toBe(32);
  });

  test("are the newest ones, up to one that weighs more than twice their sum", () => {
    expect(chosen(20, 60, 181, ...Array(30).fill(1))).toBe(2);
    expect(chosen(20, 60, 180, ...Array(30).fill(1))).toBe(33);
    expect(chosen(21, ...Array(32).fill(1))).toBe(0);
  });
});
