import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expireLease, readRecords } from "../../fixtures/chain-checker.ts";
import type { Fault, FaultRule } from "../../fixtures/faults.ts";
import { openRandomRuns, type RandomRuns } from "../../fixtures/random-runs.ts";
import { testAll } from "../../fixtures/requirements.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// Hundreds of runs, perhaps on a busy computer.
setDefaultTimeout(300_000);
let testbed: Testbed;
/** Each seed gives another history: CRASH_SEED=7 bun test crash */
const seed = Number(process.env.CRASH_SEED ?? 1);
let kills = 0;

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(async () => {
  await testbed.close();
  console.log(`${kills} runs killed, with CRASH_SEED=${seed}`);
});
beforeEach(() => testbed.reset());

/** Runs a scenario. Its error names the seed and the events until then. */
async function runScenario(
  number: number,
  scenario: (random: RandomRuns, log: (event: string) => void) => Promise<void>,
) {
  const events: string[] = [];
  try {
    await using random = await openRandomRuns(testbed, seed * 1_000 + number);
    await scenario(random, (event) => events.push(event));
    await random.check(true);
  } catch (error) {
    throw new Error(`CRASH_SEED=${seed}: ${events.join("; ")}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Before and after each of the six calls of a run; before each of the twelve calls of a run that resumes another's step.
 * There, after a call is the same as before the next one. The latter only in `npm run test:all`.
 */
const boundaries: [left: boolean, call: number, after: boolean][] = [
  ...[1, 2, 3, 4, 5, 6].flatMap((call) =>
    [false, true].map((after): [false, number, boolean] => [false, call, after]),
  ),
  ...Array.from({ length: testAll ? 12 : 0 }, (_, index): [true, number, boolean] => [
    true,
    index + 1,
    false,
  ]),
];

describe("killed", () => {
  test("at every boundary, the next run repairs it", async () => {
    await runScenario(1, async ({ history, run, runProcess, dieAt, heal, target }, log) => {
      await heal();
      for (const [left, call, after] of boundaries) {
        if (left) {
          await history.commit();
          dieAt(4, false, () => {});
          expect(await run()).toBeInstanceOf(Error);
          kills++;
          await expireLease(testbed.aws, target.bucket);
        }
        await history.advance();
        await history.commit();
        log(
          `killed ${after ? "after" : "before"} call ${call}${left ? " of a run that resumes another's step" : ""}`,
        );
        if (left) {
          dieAt(call, after, () => {});
          expect(await run()).toBeInstanceOf(Error);
        } else {
          const { status } = await runProcess((kill) => dieAt(call, after, kill));
          expect(status).toBeNull();
        }
        kills++;
        await heal();
      }
    });
  });

  test("at random moments", async () => {
    await runScenario(2, async ({ history, random, runProcess, heal, target }, log) => {
      for (let each = 0; each < (testAll ? 20 : 6); each++) {
        const milliseconds = 100 + random(350);
        log(`${await history.advance()}, killed after ${milliseconds} ms`);
        const { status } = await runProcess((kill) => setTimeout(kill, milliseconds).unref());
        if (status === null) kills++;
        if (random(3) === 0) {
          await expireLease(testbed.aws, target.bucket);
          continue;
        }
        await heal();
      }
      await heal();
    });
  });

  test.each(testAll ? [3, 4, 5, 6, 7] : [3])(
    "repeatedly at random boundaries, while commits are added (%i)",
    async (number) => {
      await runScenario(number, async ({ history, random, run, dieAt, heal, target }, log) => {
        for (let each = 0; each < 8; each++) {
          for (let again = 2 + random(4); again > 0; again--) {
            const [call, after] = [1 + random(6), random(2) === 1];
            log(`${await history.advance()}, dead ${after ? "after" : "before"} call ${call}`);
            dieAt(call, after, () => {});
            if ((await run()) instanceof Error) kills++;
            await expireLease(testbed.aws, target.bucket);
          }
          await heal();
        }
      });
    },
  );

  test("during a multipart upload", async () => {
    await runScenario(11, async ({ history, runProcess, heal, target }) => {
      await history.repository.write("large", "All work and no play.\n".repeat(600_000));
      await history.repository.commit();
      const tree = await history.repository.git("rev-parse", "HEAD^{tree}");
      history.trees.set(await history.repository.head(), tree);
      for (const [operation, after] of [
        ["CreateMultipartUpload", true],
        ["UploadPart", false],
        ["CompleteMultipartUpload", false],
        ["CompleteMultipartUpload", true],
      ] as const) {
        const how = (kill: () => void): Fault => ({
          run() {
            kill();
            throw new Error("The caller was killed.");
          },
          after,
        });
        const ran = await runProcess((kill) => testbed.aws.fail({ operation, how: how(kill) }));
        expect(ran.status).toBeNull();
        kills++;
        expect((await readRecords(testbed.aws, target.bucket)).at(-1)?.state).toBe("claimed");
        await expireLease(testbed.aws, target.bucket);
      }
      await heal();
    });
  });
});

describe("each AWS call fails, once and permanently", () => {
  const calls: [call: string, rule: Omit<FaultRule, "how">][] = [
    ["the cursor is read", { operation: "GetParameter" }],
    ["the newest record is read", { operation: "GetObject" }],
    ["the step is claimed", { operation: "PutObject", nth: 1 }],
    ["the diff is stored", { operation: "PutObject", nth: 2 }],
    ["the record is completed", { operation: "PutObject", nth: 3 }],
    ["the cursor is moved", { operation: "PutParameter" }],
    ["the newest record is looked for", { operation: "ListObjectsV2" }],
  ];
  const internalError = { status: 500, code: "InternalError" };
  const xml = "<Error><Code>InternalError</Code><Message>We tried.</Message></Error>";
  const json = JSON.stringify({ __type: "InternalServerError", message: "We tried." });
  const faults: [fault: string, how: Fault][] = [
    ["with an error before the effect", internalError],
    ["with an error after the effect", { ...internalError, after: true }],
    ["with a lost answer", "reset-after"],
    ["with throttling", { status: 400, code: "ThrottlingException" }],
    ["with an answer that is cut off", "cut"],
    ["with 200 and an error instead of the effect", { status: 200, body: xml }],
    ["with 200 and an error after the effect", { status: 200, body: xml, after: true }],
  ];

  const quick = faults.slice(1, 3);

  test.each(testAll ? faults : quick)("%s", async (_, how) => {
    await runScenario(20 + faults.findIndex(([, each]) => each === how), async (random, log) => {
      const { history, run, heal, dieAt, target } = random;
      const faultFor = (operation: string): Fault =>
        typeof how !== "string" && "body" in how && operation.endsWith("Parameter")
          ? { ...how, body: json }
          : how;
      // The first run creates the cursor.
      testbed.aws.fail({ operation: "PutParameter", how: faultFor("PutParameter") });
      if (!((await run()) instanceof Error))
        expect((await target.cursor())?.value).toBe(await history.repository.head());
      await heal();
      for (const [call, rule] of calls) {
        // With three attempts the run succeeds; with one it fails, and the next run succeeds.
        for (const attempts of [3, 1]) {
          const head = await history.commit();
          // The records are listed only after a run was killed.
          if (rule.operation === "ListObjectsV2") {
            dieAt(4, false, () => {});
            await run();
            await expireLease(testbed.aws, target.bucket);
          }
          const before = testbed.aws.calls.length;
          testbed.aws.fail({ ...rule, how: faultFor(rule.operation) });
          const outcome = await run(attempts);
          const hit = testbed.aws.calls.slice(before).filter(({ operation }) => operation === rule.operation);
          expect(hit.length).toBeGreaterThanOrEqual(rule.nth === "all" ? 1 : (rule.nth ?? 1));
          log(`${call}: ${outcome instanceof Error ? outcome.message : outcome.status}`);
          // A run reports success only if it succeeded.
          if (outcome instanceof Error) await heal();
          else expect([outcome.status, (await target.cursor())?.value]).toEqual(["collected", head]);
          await random.check();
        }
      }
    });
  });
});
