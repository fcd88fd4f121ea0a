import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import type { Repository } from "../fixtures/repository.ts";
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
  const target = await testbed.target(await makeThousandFiles(), null);
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
  // Lets the host build the pack as fast as it sends it.
  await repository.git("config", "core.bigFileThreshold", "1m");
  await repository.git("config", "core.compression", "0");
  for (let file = 0; file < 8; file++) await repository.write(`noise-${file}`, randomBytes(50 * megabyte));
  await repository.commit();
  const { ran, memory } = await measure(await testbed.target(repository));
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)).toMatchObject({ event: "collected", strategy: "blobless", binaryFiles: 8 });
  expect(ran.events.at(0)?.packBytes).toBeGreaterThan(400 * megabyte);
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(200 * megabyte);
}, 120_000);

test("memory does not grow with the number of changed files (300,000)", async () => {
  const repository = await testbed.repository("files");
  for (const word of ["before", "after"]) {
    const parts = [
      "commit refs/heads/main\ncommitter C <c@example.com> 1717200000 +0000\ndata 5\nFiles\nfrom refs/heads/main^0\n",
    ];
    for (let file = 0; file < 300_000; file++) {
      const content = `${word} ${file}\n`;
      parts.push(`M 644 inline d${file % 500}/f${file}\ndata ${content.length}\n${content}\n`);
    }
    await repository.gitBytes(["fast-import", "--quiet"], parts.join(""));
  }
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

/** Returns a repository of a thousand equal files: the pack has one megabyte, the baseline a thousand. */
async function makeThousandFiles(): Promise<Repository> {
  const repository = await testbed.repository("thousand");
  const noise = randomBytes(0.75 * megabyte)
    .toString("base64")
    .replaceAll(/.{75}/g, "$&\n");
  const blob = (await repository.gitBytes(["hash-object", "-w", "--stdin"], noise)).toString().trim();
  const entries = Array.from({ length: 1000 }, (_, index) => `100644 ${blob}\tfile-${index}\n`);
  await repository.gitBytes(["update-index", "--add", "--index-info"], entries.join(""));
  await repository.git("rm", "--quiet", "--cached", "file");
  await repository.git("commit", "--quiet", "-m", "A thousand files");
  return repository;
}
