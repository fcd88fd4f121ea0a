import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, readlink } from "node:fs/promises";
import type { Repository } from "../../fixtures/repository.ts";
import { testAll } from "../../fixtures/requirements.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import { type Running, startWorker } from "../../fixtures/worker.ts";

const megabyte = 1024 ** 2;
setDefaultTimeout(30_000);
let testbed: Testbed;
let small: Repository;
let medium: Repository;
let large: Repository;

beforeAll(async () => {
  testbed = await openTestbed();
  small = await testbed.repository("small");
  medium = await testbed.repository("medium", 6 * megabyte);
  large = await testbed.repository("large", 40 * megabyte);
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

/** Waits for `condition`, as long as the worker runs. */
async function until(running: Running, condition: () => boolean): Promise<void> {
  while (!condition()) {
    if (running.process.exitCode !== null) throw new Error(`It ended: ${(await running.finished).stdout}`);
    await Bun.sleep(10);
  }
}

const uploading = (target: Target) => () => callsTo(target).includes("UploadPart");

/** Processes that were given the worker's temporary folder, or are in it. */
async function processesIn(folder: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const facts = await Promise.all(
    ids.map(async (id) => {
      const read = (name: string) => readFile(`/proc/${id}/${name}`, "utf8").catch(() => "");
      const at = await readlink(`/proc/${id}/cwd`).catch(() => "");
      return [at, await read("cmdline"), await read("environ")].join("\n");
    }),
  );
  return facts.filter((fact) => fact.includes(folder));
}

const callsTo = ({ bucket }: Target): string[] =>
  testbed.aws.calls.filter(({ path }) => path.startsWith(`/${bucket}/`)).map(({ operation }) => operation);

describe("the largest diff", () => {
  test.each([
    ["small", "10", 0],
    ["large", String(12 * megabyte), 1],
  ])("a %s one that is larger than %s bytes is not stored", async (size, MAX_DIFF_BYTES, uploads) => {
    const target = await testbed.target(size === "small" ? small : large);
    await target.expectFailed(await target.run({ MAX_DIFF_BYTES }), "diff-too-large", MAX_DIFF_BYTES);
    const begun = callsTo(target).filter((operation) => operation === "CreateMultipartUpload");
    expect(begun).toHaveLength(uploads);
  });

  test("one of just that size is", async () => {
    const target = await testbed.target(small);
    const bytes = (await (await testbed.target(small)).run()).events[0]?.bytes;
    await target.expectFailed(await target.run({ MAX_DIFF_BYTES: String(bytes - 1) }), "diff-too-large");
    expect((await target.run({ MAX_DIFF_BYTES: String(bytes) })).status).toBe(0);
    await target.expectCollected();
  });
});

describe("the deadline", () => {
  test("while the host does not send what it should", async () => {
    const target = await testbed.target(small);
    testbed.host.options.hang = true;
    const ran = await target.run({ REPOSITORY_TIMEOUT_SECONDS: "1" });
    await target.expectFailed(ran, "deadline", "REPOSITORY_TIMEOUT_SECONDS");
    expect(ran.seconds).toBeLessThan(8);
  });

  test("while the store does not answer, for every kind of write", async () => {
    const operations = ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"];
    const places: [string, Target][] = [];
    for (const operation of operations)
      places.push([operation, await testbed.target(operation === "PutObject" ? small : medium)]);
    const runs = places.map(async ([operation, target]) => {
      testbed.aws.fail({ operation, path: target.bucket, nth: "all", how: "hang" });
      const ran = await target.run({ REPOSITORY_TIMEOUT_SECONDS: "4" });
      expect(callsTo(target)).toContain(operation);
      await target.expectFailed(ran, "deadline", "REPOSITORY_TIMEOUT_SECONDS");
      expect(ran.seconds).toBeLessThan(15);
    });
    await Promise.all(runs);
  });

  test("while the cursor gets no answer", async () => {
    const target = await testbed.target(small);
    testbed.aws.fail({ operation: "GetParameter", nth: "all", how: "hang" });
    const ran = await target.run({ REPOSITORY_TIMEOUT_SECONDS: "1" });
    await target.expectFailed(ran, "deadline");
    expect(ran.seconds).toBeLessThan(8);
  });
});

describe.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("%s", (signal, status) => {
  // It takes long, and both signals do the same.
  const testOnce = test.skipIf(!testAll || signal !== "SIGTERM");

  /** Stops the worker at a moment, and expects that it ends soon, with nothing running or lying about. */
  async function stop(target: Target, moment: () => boolean, after = () => {}) {
    const running = await startWorker(target.environment);
    await until(running, moment);
    expect(await processesIn(running.temporary)).not.toEqual([]);
    const sent = performance.now();
    running.process.kill(signal);
    after();
    const ran = await running.finished;
    expect(await processesIn(running.temporary)).toEqual([]);
    expect(ran).toMatchObject({ status, left: [], stderr: "" });
    expect(ran.events.at(0)).toMatchObject({ event: "failed", code: "stopped" });
    return (performance.now() - sent) / 1_000;
  }

  test("during a fetch", async () => {
    const target = await testbed.target(small);
    testbed.host.options.hang = true;
    expect(await stop(target, () => testbed.host.requests.length > 0)).toBeLessThan(10);
    await target.expectUntouched();
  });

  test("during an upload", async () => {
    const target = await testbed.target(large);
    testbed.aws.fail({ operation: "UploadPart", nth: "all", how: { delayMs: 500 } });
    expect(await stop(target, uploading(target))).toBeLessThan(10);
    await target.expectUntouched();
  });

  test("during an upload that gets no answer", async () => {
    const target = await testbed.target(large);
    testbed.aws.fail({ operation: "UploadPart", nth: "all", how: "hang" });
    expect(await stop(target, uploading(target))).toBeLessThan(10);
    await target.expectUntouched();
  });

  testOnce("while S3 is slow: the upload is withdrawn and the claim released", async () => {
    const target = await testbed.target(large);
    testbed.aws.fail({ operation: "UploadPart", nth: "all", how: "hang" });
    const slow = () => {
      for (const operation of ["AbortMultipartUpload", "PutObject"])
        testbed.aws.fail({ operation, nth: "all", how: { delayMs: 4_000 } });
    };
    expect(await stop(target, uploading(target), slow)).toBeWithin(8, 20);
    await target.expectUntouched();
  });

  testOnce("while S3 answers nothing: the end comes in time nevertheless", async () => {
    const target = await testbed.target(large);
    testbed.aws.fail({ operation: "UploadPart", nth: "all", how: "hang" });
    const silent = () => {
      for (const operation of ["AbortMultipartUpload", "PutObject", "GetObject", "ListObjectsV2"])
        testbed.aws.fail({ operation, nth: "all", how: "hang" });
    };
    expect(await stop(target, uploading(target), silent)).toBeLessThan(25);
  });
});
