import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { commitManyFiles, commitNoise } from "../fixtures/large-commits.ts";
import { measureWorker } from "../fixtures/measured-worker.ts";
import { openTestbed, type Target, type Testbed } from "../fixtures/testbed.ts";

const megabyte = 1024 ** 2;
let testbed: Testbed;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

/** Mirrors what a target would have of diffs. */
function mirroring({ environment, bucket }: Target): Record<string, string> {
  const { GIT_REPO: gitRepo, PARAMETER_NAME: parameterName, RESULTS_BUCKET: _, ...others } = environment;
  const entry = { gitRepo, parameterName, resultsBucket: `${bucket}/api`, collect: ["mirror"] };
  return { ...others, REPOSITORIES: JSON.stringify([entry]) };
}

test("memory does not grow with the pack (400 MB)", async () => {
  const repository = await testbed.repository("noise");
  await commitNoise(repository);
  const target = await testbed.target(repository);
  const { ran, memory } = await measureWorker(mirroring(target));
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)).toMatchObject({ event: "mirrored", kind: "baseline" });
  expect(ran.events.at(0)?.pack.bytes).toBeGreaterThan(400 * megabyte);
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(200 * megabyte);
}, 120_000);

test("memory grows little with the number of objects (1,000,000)", async () => {
  const repository = await testbed.repository("objects");
  for (const word of ["first", "second"]) await commitManyFiles(repository, word, 500_000);
  const target = await testbed.target(repository);
  const { ran, memory } = await measureWorker(mirroring(target));
  expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
  expect(ran.events.at(0)?.pack.objects).toBeGreaterThan(1_000_000);
  expect(memory).toBeGreaterThan(20 * megabyte);
  expect(memory).toBeLessThan(200 * megabyte);
}, 300_000);
