import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { readSettings } from "../../../image/config/settings.ts";
import { expireLease, readRecords } from "../../fixtures/chain-checker.ts";
import { openRandomRuns, type RandomRuns } from "../../fixtures/random-runs.ts";
import { oracle } from "../../fixtures/repository.ts";
import { testAll } from "../../fixtures/requirements.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { type Ran, runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(120_000);
let testbed: Testbed;
let random: RandomRuns;
let seed = 50_000;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(async () => {
  testbed.reset();
  await random?.[Symbol.asyncDispose]();
  random = await openRandomRuns(testbed, ++seed);
});
afterAll(() => random?.[Symbol.asyncDispose]());

/** Starts workers at the same moment, with the same scheduled time. */
async function race(workers: number, time: string): Promise<Ran[]> {
  const environment = { ...random.target.environment, SCHEDULED_TIME: time };
  return Promise.all(Array.from({ length: workers }, () => runWorker(environment)));
}
const firsts = (ran: readonly Ran[]) => ran.map(({ events }) => events[0]?.event).sort();

describe("a push while a step is collected, whose own run finds it locked", () => {
  test.each([
    [true, 2],
    [false, 1],
  ])("belongs to the run under way (ON_PUSH %p)", async (onPush, steps) => {
    const { history, target } = random;
    const environment = { ...target.environment, ...(onPush && { ON_PUSH: "true" }) };
    await history.commit();
    const others: { pushed: string; ran: Ran }[] = [];
    const push = async () => {
      const pushed = await history.commit();
      others.push({ pushed, ran: await runWorker(environment) });
    };
    testbed.aws.fail({ operation: "PutObject", path: "_steps/", nth: 2, how: { run: push } });
    const { events, status } = await runWorker(environment);
    expect(status).toBe(0);
    expect(others[0]?.ran.events[0]).toMatchObject({ event: "locked" });
    expect(events.filter(({ event }) => event === "collected")).toHaveLength(steps);
    expect((await target.cursor())?.value === others[0]?.pushed).toBe(onPush);
  });
});

describe("started at once", () => {
  test.each(
    testAll
      ? [
          [2, 8],
          [10, 3],
        ]
      : [[2, 4]],
  )("%i workers store one diff for each step, for %i days", async (workers = 0, days = 0) => {
    const { history, target, check } = random;
    for (let day = 1; day <= days; day++) {
      const head = await history.commit();
      const ran = await race(workers, `2026-02-0${day}T00:00:00Z`);
      for (const { status, events, left, stderr } of ran) {
        const code = { status, code: events[0]?.code, left, stderr };
        expect(code).toEqual({ status: 0, code: undefined, left: [], stderr: "" });
      }
      // One collects; all others leave the step to it, or come when all is done.
      expect(firsts(ran).filter((event) => event === "collected")).toHaveLength(1);
      for (const event of firsts(ran))
        expect(["collected", "locked", "unchanged"]).toContain(event as string);
      expect((await target.cursor())?.value).toBe(head);
      const chain = await check();
      expect(chain).toHaveLength(day);
      expect(chain.filter(({ diff }) => diff !== null)).toHaveLength(day);
    }
  });

  test("a worker that finds a claimed step reports locked, until when, and succeeds", async () => {
    const { target } = random;
    // The first run is held up just before it stores its diff.
    const [storing, on] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const run = () => {
      storing.resolve();
      return on.promise;
    };
    testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run } });
    const owner = await startWorker({ ...target.environment, REPOSITORY_TIMEOUT_SECONDS: "100" });
    await storing.promise;
    const [claim] = await readRecords(testbed.aws, target.bucket);
    const second = await target.run({ REPOSITORY_TIMEOUT_SECONDS: "100", STEP_LEASE_SECONDS: "120" });
    expect(second.status).toBe(0);
    // As its owner was configured, and not this run.
    const until = new Date(Date.parse(claim?.claimed ?? "") + 160_000).toISOString();
    expect(second.events[0]).toMatchObject({ event: "locked", record: "_steps/0000000001.json", until });
    expect(second.events[1]).toMatchObject({ event: "summary", locked: 1, failed: [] });
    expect((await readRecords(testbed.aws, target.bucket))[0]).toEqual(claim as never);
    on.resolve();
    expect((await owner.finished).events[0]).toMatchObject({ event: "collected", kind: "baseline" });
    await random.check();
  });

  test("delivered twice, one after the other, the second finds nothing to do", async () => {
    const { target } = random;
    const [first, second] = [await target.run(), await target.run()];
    expect([first, second].map(({ events }) => events[0]?.event)).toEqual(["collected", "unchanged"]);
    expect(await random.check()).toHaveLength(1);
  });
});

describe("a step of a killed run", () => {
  /** Kills a run before or after it stores its diff. Returns the step's ends, the diff's name, and a newer head. */
  async function killWhileStoring(after: boolean) {
    const { history, target, heal } = random;
    await heal();
    const from = await history.repository.head();
    const to = await history.commit();
    const dying = { SCHEDULED_TIME: "2026-03-01T01:02:03Z" };
    const running = await startWorker({ ...target.environment, ...dying });
    const run = () => {
      running.process.kill("SIGKILL");
      throw new Error("The caller was killed.");
    };
    testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run, after } });
    expect((await running.finished).status).toBeNull();
    testbed.aws.clearFaults();
    const name = `2026-03-01-0102_${from.slice(0, 7)}-${to.slice(0, 7)}.diff`;
    const before = await testbed.aws.objects(target.bucket);
    expect(before.includes(name)).toBe(after);
    const head = await history.commit();
    // Nobody takes it over while the lease lasts.
    expect((await target.run()).events[0]).toMatchObject({ event: "locked" });
    expect(await testbed.aws.objects(target.bucket)).toEqual(before);
    await expireLease(testbed.aws, target.bucket);
    return { from, to, head, name };
  }

  const stepsOf = ({ events }: Ran) =>
    events.map(({ event, from, to, storedAt }) => [event, from, to, storedAt?.split("/").at(-1)]);
  const summary = ["summary", undefined, undefined, undefined];

  test("after its diff was stored, is completed with the same name and bytes, and the same run continues", async () => {
    const { history, target, check } = random;
    const { from, to, head, name } = await killWhileStoring(true);
    const stored = await testbed.aws.metadata(target.bucket, name);
    const ran = await target.run({ SCHEDULED_TIME: "2026-03-02T01:02:03Z" });
    expect(stepsOf(ran)).toEqual([
      ["collected", from, to, name],
      ["collected", to, head, `2026-03-02-0102_${to.slice(0, 7)}-${head.slice(0, 7)}.diff`],
      summary,
    ]);
    expect(ran.events[0]).toMatchObject({
      commits: 1,
      toTree: expect.any(String),
      sha256: expect.any(String),
    });
    const right = await oracle(history.repository.path, from, to);
    expect(Buffer.compare(await testbed.aws.body(target.bucket, name), right)).toBe(0);
    // It is not written a second time.
    expect(await testbed.aws.metadata(target.bucket, name)).toEqual(stored);
    expect(await check()).toHaveLength(3);
  });

  test("whose diff's name has other bytes, is planned again beside them", async () => {
    const { history, target } = random;
    const { name, from, head } = await killWhileStoring(true);
    const other = Buffer.concat([await testbed.aws.body(target.bucket, name), Buffer.from("another byte\n")]);
    await testbed.aws.s3.send(new PutObjectCommand({ Bucket: target.bucket, Key: name, Body: other }));
    const { events } = await target.run({ SCHEDULED_TIME: "2026-03-02T01:02:03Z" });
    const diff = `2026-03-02-0102_${from.slice(0, 7)}-${head.slice(0, 7)}.diff`;
    expect(events[0]).toMatchObject({ event: "collected", from, to: head, diff });
    const right = await oracle(history.repository.path, from, head);
    expect(Buffer.compare(await testbed.aws.body(target.bucket, diff), right)).toBe(0);
    expect(Buffer.compare(await testbed.aws.body(target.bucket, name), other)).toBe(0);
  });

  test("before its diff was stored, is planned again to the head", async () => {
    const { target, check } = random;
    const { from, head } = await killWhileStoring(false);
    const ran = await target.run({ SCHEDULED_TIME: "2026-03-02T01:02:03Z" });
    const name = `2026-03-02-0102_${from.slice(0, 7)}-${head.slice(0, 7)}.diff`;
    expect(stepsOf(ran)).toEqual([["collected", from, head, name], summary]);
    expect(await check()).toHaveLength(2);
  });

  test.each([
    ["too large", { MAX_DIFF_BYTES: "100000" }, "diff-too-large"],
    ["too slow", { REPOSITORY_TIMEOUT_SECONDS: "1", STEP_LEASE_SECONDS: "2" }, "deadline"],
  ])("that is %s does not block the next one", async (_, limit, code) => {
    const { history, target, heal, check } = random;
    await heal();
    const from = await history.repository.head();
    await history.repository.write("huge", "All work and no play.\n".repeat(10_000));
    history.trees.set(
      await history.repository.commit(),
      await history.repository.git("rev-parse", "HEAD^{tree}"),
    );
    if (code === "deadline") testbed.aws.fail({ operation: "PutObject", path: ".diff", how: "hang" });
    expect((await target.run(limit)).events[0]).toMatchObject({ event: "failed", code });
    await history.repository.git("rm", "--quiet", "huge");
    const to = await history.commit();
    const more = code === "deadline" ? {} : limit;
    expect((await target.run(more)).events[0]).toMatchObject({ event: "collected", from, to });
    await check();
  });

  test("ten runs find it at once: one resumes it, and each step has one diff", async () => {
    const { history, target, heal, check, runProcess } = random;
    await heal();
    await history.commit();
    // Killed after the claim.
    await runProcess((kill) => random.dieAt(4, false, kill));
    expect((await readRecords(testbed.aws, target.bucket)).at(-1)?.state).toBe("claimed");
    const head = await history.commit();
    await expireLease(testbed.aws, target.bucket);
    const ran = await race(10, "2026-04-01T00:00:00Z");
    expect(ran.map(({ status }) => status)).toEqual(Array(10).fill(0));
    expect(await check()).toHaveLength(2);
    expect((await target.cursor())?.value).toBe(head);
  });

  test("after an error, not a kill, is free at once", async () => {
    const { history, target, heal, check, run } = random;
    await heal();
    for (const operation of ["PutObject", "PutParameter"]) {
      const head = await history.commit();
      const path = operation === "PutObject" ? ".diff" : undefined;
      testbed.aws.fail({ operation, path, how: { status: 500, code: "InternalError" } });
      expect(await run()).toBeInstanceOf(Error);
      expect(await run()).toMatchObject({ status: operation === "PutObject" ? "collected" : "unchanged" });
      expect((await target.cursor())?.value).toBe(head);
    }
    await check();
  });

  test("waits for the end of the lease, and no longer", async () => {
    const { history, target, heal, check, runProcess } = random;
    await heal();
    await history.commit();
    const short = { REPOSITORY_TIMEOUT_SECONDS: "4", STEP_LEASE_SECONDS: "5" };
    await runProcess((kill) => random.dieAt(4, false, kill), short);
    const left = (await target.run(short)).events[0];
    expect(left?.event).toBe("locked");
    const wait = Date.parse(left?.until) - Date.now();
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(5_000);
    await Bun.sleep(wait + 10);
    expect((await target.run(short)).events[0]?.event).toBe("collected");
    await check();
  });
});

describe("a lease that is shorter than a run may take", () => {
  test.each([
    ["60", "60"],
    ["60", "59"],
    [undefined, "3600"],
  ])("is an error: timeout %p, lease %p", async (REPOSITORY_TIMEOUT_SECONDS, STEP_LEASE_SECONDS) => {
    const { target } = random;
    const timeout = REPOSITORY_TIMEOUT_SECONDS && { REPOSITORY_TIMEOUT_SECONDS };
    const ran = await target.run({ ...timeout, STEP_LEASE_SECONDS });
    expect(ran.status).toBe(2);
    expect(ran.stdout).toContain(`STEP_LEASE_SECONDS is \\"${STEP_LEASE_SECONDS}\\"`);
    expect(testbed.aws.calls).toEqual([]);
  });

  test("and by default is a minute longer than the timeout", () => {
    const now = new Date();
    expect(readSettings({}, now).leaseSeconds).toBe(3_660);
    expect(readSettings({ REPOSITORY_TIMEOUT_SECONDS: "10" }, now).leaseSeconds).toBe(70);
  });
});
