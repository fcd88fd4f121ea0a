import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { text } from "../../fixtures/collect-once.ts";
import { makeRepository, oracle, type Repository } from "../../fixtures/repository.ts";
import { openWorld, type Place, type World } from "../../fixtures/testbed.ts";
import { startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);
let world: World;
let repository: Repository;
let place: Place;
let number = 0;
/** The commit that was collected last. */
let from: string;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  world.reset();
  repository = await makeRepository({ path: `${world.root}/repository-${++number}` });
  await repository.write("file", "one\n");
  from = await repository.commit();
  place = await world.place(repository, null);
  expect(await place.run()).toMatchObject({ status: 0 });
  await repository.write("file", "two\n");
  await repository.commit();
  world.reset();
});

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 20_000) throw new Error("It never came to that.");
    await Bun.sleep(10);
  }
}
const claims = () => world.aws.calls.filter(({ operation }) => operation === "PutObject");
const never = () => new Promise(() => {});
/** Collects, and holds the newest diff against what git says. */
async function expectCollected(): Promise<void> {
  const { status, events } = await place.run({ SCHEDULED_TIME: "2026-01-03T00:00:00Z" });
  const to = await repository.head();
  expect({ status, event: events[0] }).toMatchObject({ status: 0, event: { event: "collected", to } });
  const name = (await world.aws.objects(place.bucket)).findLast((name) => name.endsWith(".diff")) ?? "";
  expect(text(await world.aws.body(place.bucket, name))).toBe(
    text(await oracle(repository.path, events[0]?.from, to)),
  );
}

test("the likely step is fetched while it is being claimed", async () => {
  // The head takes two requests: without the third, the claim is never let through.
  const run = () => until(() => world.host.requests.length >= 3);
  world.aws.fail({ operation: "PutObject", path: "_steps", how: { run } });
  await expectCollected();
});

test("a run that leaves the step to another one stops what it began to fetch", async () => {
  world.host.options.before = { request: 3, happen: never };
  world.aws.calls.length = 0;
  const first = await startWorker(place.environment);
  await until(() => claims().length > 0 && world.host.requests.length === 3);
  world.host.options.before = { request: 6, happen: never };
  const { status, events, left, seconds } = await place.run();
  expect({ status, event: events[0], left }).toMatchObject({
    status: 0,
    event: { event: "locked" },
    left: [],
  });
  expect(world.host.requests.length).toBeGreaterThanOrEqual(6);
  expect(seconds).toBeLessThan(10);
  first.process.kill("SIGKILL");
  await first.finished;
});

test("a dead run's step is finished, though another one was begun", async () => {
  const bounds = { STEP_LEASE_SECONDS: "5", REPOSITORY_TIMEOUT_SECONDS: "4" };
  world.host.options.before = { request: 3, happen: never };
  world.aws.calls.length = 0;
  const dead = await startWorker({ ...place.environment, ...bounds });
  await until(() => claims().length > 0);
  dead.process.kill("SIGKILL");
  await dead.finished;
  const claimed = await repository.head();
  await repository.write("file", "three\n");
  const to = await repository.commit();
  await Bun.sleep(5_100);
  world.host.requests.length = 0;
  const { status, events, left } = await place.run(bounds);
  expect({ status, left }).toEqual({ status: 0, left: [] });
  expect(events.slice(0, 2)).toMatchObject([
    { from, to: claimed },
    { from: claimed, to },
  ]);
  expect(world.host.requests.length).toBeGreaterThan(3);
});

test("a cursor that was set by hand is obeyed, though its step was begun", async () => {
  await world.aws.putParameter(place.parameter, from);
  world.host.options.before = { request: 3, happen: never };
  await expectCollected();
  expect(world.host.requests.length).toBeGreaterThan(3);
});

test("a fetch that fails ahead of the claim fails the run after it, and leaves the step free", async () => {
  world.host.options.before = { request: 3, happen: async () => (world.host.options.status = 500) };
  const { status, events } = await place.run();
  expect({ status, event: events[0] }).toMatchObject({ status: 1, event: { code: "git-unreachable" } });
  world.reset();
  await expectCollected();
});
