import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expireLease, readRecords } from "../../fixtures/chain-checker.ts";
import type { Fault, FaultRule } from "../../fixtures/faults.ts";
import { openRandomRuns, type RandomRuns } from "../../fixtures/random-runs.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// Hundreds of runs; a computer that is busy with something else is no defect.
setDefaultTimeout(300_000);
let testbed: Testbed;
/** A new history for each seed: CRASH_SEED=7 bun test crash */
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

/** Says which seed it was, and what happened until then. */
async function told(
  number: number,
  tell: (random: RandomRuns, say: (what: string) => void) => Promise<void>,
) {
  const said: string[] = [];
  try {
    await using random = await openRandomRuns(testbed, seed * 1_000 + number);
    await tell(random, (what) => said.push(what));
    await random.check(true);
  } catch (error) {
    throw new Error(`CRASH_SEED=${seed}: ${said.join("; ")}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Before and after every call. A run makes six of them, and one that finishes a dead one's step twice as many; of that
 * only before, since what comes after a call is what comes before the next.
 */
const boundaries: [left: boolean, call: number, after: boolean][] = [
  ...[1, 2, 3, 4, 5, 6].flatMap((call) =>
    [false, true].map((after): [false, number, boolean] => [false, call, after]),
  ),
  ...Array.from({ length: 12 }, (_, index): [true, number, boolean] => [true, index + 1, false]),
];

describe("killed", () => {
  test("at every boundary: the next run brings it in order", async () => {
    await told(1, async ({ history, run, runProcess, dieAt, heal, target }, say) => {
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
        say(
          `killed ${after ? "after" : "before"} call ${call}${left ? " of a run that finishes another's step" : ""}`,
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

  test("at random moments, a process", async () => {
    await told(2, async ({ history, random, runProcess, heal, target }, say) => {
      for (let each = 0; each < 20; each++) {
        const milliseconds = 100 + random(350);
        say(`${await history.advance()}, killed after ${milliseconds} ms`);
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

  test.each([3, 4, 5, 6, 7])(
    "again and again at random boundaries, while history goes on (%i)",
    async (number) => {
      await told(number, async ({ history, random, run, dieAt, heal, target }, say) => {
        for (let each = 0; each < 8; each++) {
          for (let again = 2 + random(4); again > 0; again--) {
            const [call, after] = [1 + random(6), random(2) === 1];
            say(`${await history.advance()}, dead ${after ? "after" : "before"} call ${call}`);
            dieAt(call, after, () => {});
            if ((await run()) instanceof Error) kills++;
            await expireLease(testbed.aws, target.bucket);
          }
          await heal();
        }
      });
    },
  );

  test("while a diff of many parts is uploading", async () => {
    await told(11, async ({ history, runProcess, heal, target }) => {
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
            throw new Error("Whoever made this call is dead.");
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

describe("every single AWS call fails, once and for good", () => {
  const calls: [call: string, rule: Omit<FaultRule, "how">][] = [
    ["the cursor is read", { operation: "GetParameter" }],
    ["the newest record is read", { operation: "GetObject" }],
    ["the step is claimed", { operation: "PutObject", nth: 1 }],
    ["the diff is stored", { operation: "PutObject", nth: 2 }],
    ["the record is completed", { operation: "PutObject", nth: 3 }],
    ["the cursor is moved", { operation: "PutParameter" }],
    ["the newest record is looked for", { operation: "ListObjectsV2" }],
  ];
  const unwell = { status: 500, code: "InternalError" };
  const xml = "<Error><Code>InternalError</Code><Message>We tried.</Message></Error>";
  const json = JSON.stringify({ __type: "InternalServerError", message: "We tried." });
  const faults: [fault: string, how: Fault][] = [
    ["with an error before the effect", unwell],
    ["with an error after the effect", { ...unwell, after: true }],
    ["with its answer lost", "reset-after"],
    ["with throttling", { status: 400, code: "ThrottlingException" }],
    ["with the connection cut half way", "cut"],
    ["with 200 and an error instead of its effect", { status: 200, body: xml }],
    ["with 200 and an error after the effect", { status: 200, body: xml, after: true }],
  ];

  test.each(faults)("%s", async (_, how) => {
    await told(20 + faults.findIndex(([, each]) => each === how), async (random, say) => {
      const { history, run, heal, dieAt, target } = random;
      const inform = (operation: string): Fault =>
        typeof how !== "string" && "body" in how && operation.endsWith("Parameter")
          ? { ...how, body: json }
          : how;
      // The very first run makes the cursor.
      testbed.aws.fail({ operation: "PutParameter", how: inform("PutParameter") });
      if (!((await run()) instanceof Error))
        expect((await target.cursor())?.value).toBe(await history.repository.head());
      await heal();
      for (const [call, rule] of calls) {
        // Once: it is tried again. For good: that run cannot go on, and the next one can.
        for (const attempts of [3, 1]) {
          const head = await history.commit();
          // Only after a run that was killed anybody has to look for the newest record.
          if (rule.operation === "ListObjectsV2") {
            dieAt(4, false, () => {});
            await run();
            await expireLease(testbed.aws, target.bucket);
          }
          const before = testbed.aws.calls.length;
          testbed.aws.fail({ ...rule, how: inform(rule.operation) });
          const outcome = await run(attempts);
          const hit = testbed.aws.calls.slice(before).filter(({ operation }) => operation === rule.operation);
          expect(hit.length).toBeGreaterThanOrEqual(rule.nth === "all" ? 1 : (rule.nth ?? 1));
          say(`${call}: ${outcome instanceof Error ? outcome.message : outcome.status}`);
          // Nobody is told that all is well unless it is.
          if (outcome instanceof Error) await heal();
          else expect([outcome.status, (await target.cursor())?.value]).toEqual(["collected", head]);
          await random.check();
        }
      }
    });
  });
});
