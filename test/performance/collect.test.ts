import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { commitManyFiles, commitNoise, commitThousandFiles } from "../fixtures/large-commits.ts";
import { openTestbed, type Target, type Testbed } from "../fixtures/testbed.ts";
import { startWorker } from "../fixtures/worker.ts";

const megabyte = 1024 ** 2;
let testbed: Testbed;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

/** Runs the worker. Returns its peak memory and its largest temporary file, in bytes. */
async function measure(target: Target) {
  const running = await startWorker(target.environment);
  let [memory, disk] = [0, 0];
  while (running.process.exitCode === null) {
    const status = await readFile(`/proc/${running.process.pid}/status`, "utf8").catch(() => "");
    memory = Math.max(memory, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
    disk = Math.max(disk, await largestFile(running.temporary));
    await Bun.sleep(50);
  }
  return { ran: await running.finished, memory, disk };
}

test("memory and disk do not grow with the diff (1 GB)", async () => {
  const repository = await testbed.repository("thousand");
  await commitThousandFiles(repository);
  const target = await testbed.target(repository, null);
  const { ran, memory, disk } = await measure(target);
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
  const { ran, memory } = await measure(await testbed.target(repository));
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)).toMatchObject({ event: "collected", strategy: "blobless", binaryFiles: 8 });
  expect(ran.events.at(0)?.packBytes).toBeGreaterThan(400 * megabyte);
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(200 * megabyte);
}, 120_000);

test("memory does not grow with the number of changed files (300,000)", async () => {
  const repository = await testbed.repository("files");
  for (const word of ["before", "after"]) await commitManyFiles(repository, word, 300_000);
  const { ran, memory } = await measure(await testbed.target(repository));
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)).toMatchObject({ strategy: "blobless", files: 300_000 });
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(250 * megabyte);
}, 300_000);

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) => stat(join(folder, name)).then(({ size }) => size));
  return Math.max(0, ...(await Promise.allSettled(sizes)).map((each) => ("value" in each ? each.value : 0)));
}
