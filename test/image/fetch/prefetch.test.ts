import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { latin1 } from "../../fixtures/collect-once.ts";
import { makeRepository, oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import { startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);
let testbed: Testbed;
let repository: Repository;
let target: Target;
let number = 0;
/** The commit that was collected last. */
let from: string;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(async () => {
  testbed.reset();
  repository = await makeRepository({ path: `${testbed.root}/repository-${++number}` });
  await repository.write("file", "one\n");
  from = await repository.commit();
  target = await testbed.target(repository, null);
  expect(await target.run()).toMatchObject({ status: 0 });
  await repository.write("file", "two\n");
  await repository.commit();
  testbed.reset();
});

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 20_000) throw new Error("It never came to that.");
    await Bun.sleep(10);
  }
}
const claims = () => testbed.aws.calls.filter(({ operation }) => operation === "PutObject");
const never = () => new Promise(() => {});
/** Collects, and compares the newest diff with git's. */
async function expectCollected(): Promise<void> {
  const { status, events } = await target.run({ SCHEDULED_TIME: "2026-01-03T00:00:00Z" });
  const to = await repository.head();
  expect({ status, event: events[0] }).toMatchObject({ status: 0, event: { event: "collected", to } });
  const name = (await testbed.aws.objects(target.bucket)).findLast((name) => name.endsWith(".diff")) ?? "";
  expect(latin1(await testbed.aws.body(target.bucket, name))).toBe(
    latin1(await oracle(repository.path, events[0]?.from, to)),
  );
}

test("the likely step is fetched while it is being claimed", async () => {
  // The head takes two requests: without the third, the claim is never let through.
  const run = () => until(() => testbed.host.requests.length >= 3);
  testbed.aws.fail({ operation: "PutObject", path: "_steps", how: { run } });
  await expectCollected();
});

test("a run that leaves the step to another one stops its fetch", async () => {
  testbed.host.options.before = { request: 3, run: never };
  testbed.aws.calls.length = 0;
  const first = await startWorker(target.environment);
  await until(() => claims().length > 0 && testbed.host.requests.length === 3);
  testbed.host.options.before = { request: 6, run: never };
  const { status, events, left, seconds } = await target.run();
  expect({ status, event: events[0], left }).toMatchObject({
    status: 0,
    event: { event: "locked" },
    left: [],
  });
  expect(testbed.host.requests.length).toBeGreaterThanOrEqual(6);
  expect(seconds).toBeLessThan(10);
  first.process.kill("SIGKILL");
  await first.finished;
});

test("a killed run's step is planned again, to the head that is fetched already", async () => {
  const bounds = { STEP_LEASE_SECONDS: "5", REPOSITORY_TIMEOUT_SECONDS: "4" };
  testbed.host.options.before = { request: 3, run: never };
  testbed.aws.calls.length = 0;
  const dead = await startWorker({ ...target.environment, ...bounds });
  await until(() => claims().length > 0);
  dead.process.kill("SIGKILL");
  await dead.finished;
  await repository.write("file", "three\n");
  const to = await repository.commit();
  await Bun.sleep(5_100);
  testbed.host.requests.length = 0;
  const { status, events, left } = await target.run(bounds);
  expect({ status, left }).toEqual({ status: 0, left: [] });
  expect(events).toMatchObject([{ from, to }, { event: "summary" }]);
});

test("a cursor that was set by hand is obeyed, though its step was begun", async () => {
  await testbed.aws.putParameter(target.parameter, from);
  testbed.host.options.before = { request: 3, run: never };
  await expectCollected();
  expect(testbed.host.requests.length).toBeGreaterThan(3);
});

test("a fetch that fails ahead of the claim fails the run after it, and leaves the step free", async () => {
  testbed.host.options.before = { request: 3, run: async () => (testbed.host.options.status = 502) };
  const { status, events } = await target.run();
  expect({ status, event: events[0] }).toMatchObject({ status: 1, event: { code: "git-unreachable" } });
  testbed.reset();
  await expectCollected();
});
