import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { commitManyFiles, commitNoise, commitThousandFiles } from "../fixtures/large-commits.ts";
import { measureWorker } from "../fixtures/measured-worker.ts";
import { openTestbed, type Testbed } from "../fixtures/testbed.ts";

const megabyte = 1024 ** 2;
let testbed: Testbed;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

test("memory and disk do not grow with the diff (1 GB)", async () => {
  const repository = await testbed.repository("thousand");
  await commitThousandFiles(repository);
  const target = await testbed.target(repository, null);
  const { ran, memory, disk } = await measureWorker(target.environment);
  expect(ran.events.at(0)).toMatchObject({ event: "collected", files: 1000 });
  expect(ran.events.at(0)?.bytes).toBeGreaterThan(1000 * megabyte);
  const stored = await testbed.aws.s3.send(
    new HeadObjectCommand({ Bucket: target.bucket, Key: target.diff }),
  );
  expect(stored.ContentLength).toBe(ran.events.at(0)?.bytes);
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(200 * megabyte);
  expect(disk).toBeGreaterThan(megabyte / 2);
  expect(disk).toBeLessThan(2 * megabyte);
  expect((await target.cursor())?.value).toBe(target.to);
}, 120_000);

test("memory does not grow with the pack (400 MB)", async () => {
  const repository = await testbed.repository("noise");
  await commitNoise(repository);
  const { ran, memory } = await measureWorker((await testbed.target(repository)).environment);
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)).toMatchObject({ event: "collected", strategy: "blobless", binaryFiles: 8 });
  expect(ran.events.at(0)?.packBytes).toBeGreaterThan(400 * megabyte);
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(200 * megabyte);
}, 120_000);

test("memory does not grow with the number of changed files (300,000)", async () => {
  const repository = await testbed.repository("files");
  for (const word of ["before", "after"]) await commitManyFiles(repository, word, 300_000);
  const { ran, memory } = await measureWorker((await testbed.target(repository)).environment);
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)).toMatchObject({ strategy: "blobless", files: 300_000 });
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(250 * megabyte);
}, 300_000);
