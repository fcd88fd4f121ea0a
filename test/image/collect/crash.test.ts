import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { passLease, records } from "../../fixtures/chain-checker.ts";
import type { Fault, FaultRule } from "../../fixtures/faults.ts";
import { openScene, type Scene } from "../../fixtures/random-runs.ts";
import { openWorld, type World } from "../../fixtures/testbed.ts";

// Hundreds of runs; a computer that is busy with something else is no defect.
setDefaultTimeout(300_000);
let world: World;
/** A new history for each seed: CRASH_SEED=7 bun test crash */
const seed = Number(process.env.CRASH_SEED ?? 1);
let kills = 0;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world.close();
  console.log(`${kills} runs killed, with CRASH_SEED=${seed}`);
});
beforeEach(() => world.reset());

/** Says which seed it was, and what happened until then. */
async function told(number: number, tell: (scene: Scene, say: (what: string) => void) => Promise<void>) {
  const said: string[] = [];
  try {
    await using scene = await openScene(world, seed * 1_000 + number);
    await tell(scene, (what) => said.push(what));
    await scene.check(true);
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
    await told(1, async ({ story, run, runProcess, dieAt, heal, place }, say) => {
      await heal();
      for (const [left, call, after] of boundaries) {
        if (left) {
          await story.commit();
          dieAt(4, false, () => {});
          expect(await run()).toBeInstanceOf(Error);
          kills++;
          await passLease(world.aws, place.bucket);
        }
        await story.goOn();
        await story.commit();
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
    await told(2, async ({ story, roll, runProcess, heal, place }, say) => {
      for (let each = 0; each < 20; each++) {
        const milliseconds = 100 + roll(350);
        say(`${await story.goOn()}, killed after ${milliseconds} ms`);
        const { status } = await runProcess((kill) => setTimeout(kill, milliseconds).unref());
        if (status === null) kills++;
        if (roll(3) === 0) {
          await passLease(world.aws, place.bucket);
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
      await told(number, async ({ story, roll, run, dieAt, heal, place }, say) => {
        for (let each = 0; each < 8; each++) {
          for (let again = 2 + roll(4); again > 0; again--) {
            const [call, after] = [1 + roll(6), roll(2) === 1];
            say(`${await story.goOn()}, dead ${after ? "after" : "before"} call ${call}`);
            dieAt(call, after, () => {});
            if ((await run()) instanceof Error) kills++;
            await passLease(world.aws, place.bucket);
          }
          await heal();
        }
      });
    },
  );

  test("while a diff of many parts is uploading", async () => {
    await told(11, async ({ story, runProcess, heal, place }) => {
      await story.repository.write("large", "All work and no play.\n".repeat(600_000));
      await story.repository.commit();
      const tree = await story.repository.git("rev-parse", "HEAD^{tree}");
      story.trees.set(await story.repository.head(), tree);
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
        const ran = await runProcess((kill) => world.aws.fail({ operation, how: how(kill) }));
        expect(ran.status).toBeNull();
        kills++;
        expect((await records(world.aws, place.bucket)).at(-1)?.state).toBe("claimed");
        await passLease(world.aws, place.bucket);
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
    await told(20 + faults.findIndex(([, each]) => each === how), async (scene, say) => {
      const { story, run, heal, dieAt, place } = scene;
      const inform = (operation: string): Fault =>
        typeof how !== "string" && "body" in how && operation.endsWith("Parameter")
          ? { ...how, body: json }
          : how;
      // The very first run makes the cursor.
      world.aws.fail({ operation: "PutParameter", how: inform("PutParameter") });
      if (!((await run()) instanceof Error))
        expect((await place.cursor())?.value).toBe(await story.repository.head());
      await heal();
      for (const [call, rule] of calls) {
        // Once: it is tried again. For good: that run cannot go on, and the next one can.
        for (const attempts of [3, 1]) {
          const head = await story.commit();
          // Only after a run that was killed anybody has to look for the newest record.
          if (rule.operation === "ListObjectsV2") {
            dieAt(4, false, () => {});
            await run();
            await passLease(world.aws, place.bucket);
          }
          const before = world.aws.calls.length;
          world.aws.fail({ ...rule, how: inform(rule.operation) });
          const outcome = await run(attempts);
          const hit = world.aws.calls.slice(before).filter(({ operation }) => operation === rule.operation);
          expect(hit.length).toBeGreaterThanOrEqual(rule.nth === "all" ? 1 : (rule.nth ?? 1));
          say(`${call}: ${outcome instanceof Error ? outcome.message : outcome.status}`);
          // Nobody is told that all is well unless it is.
          if (outcome instanceof Error) await heal();
          else expect([outcome.status, (await place.cursor())?.value]).toEqual(["collected", head]);
          await scene.check();
        }
      }
    });
  });
});
