import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openStoredIndex } from "../../../image/git/pack-index.ts";
import { faultyStore } from "../../fixtures/faulty-store.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { type Random, seededRandom } from "../../fixtures/random-repository.ts";

setDefaultTimeout(300_000);

/** Claim, pack, index, record, list of packs, HEAD, refs, cursor. */
const writesOfStep = 8;

let counter = 0;
/** Changes the refs of the host at random, so that every file of the mirror changes. */
async function advance({ repository }: MirroredRepository, random: Random): Promise<void> {
  const { git } = repository;
  const branch = `branch-${++counter}`;
  // HEAD moves too. A third of the changes rewrites history.
  if (random(3) === 0) await git("reset", "--quiet", "--hard", "HEAD~1");
  await git("checkout", "--quiet", "-b", branch);
  await repository.write(`file ${random(5)}`, `${counter}\n`);
  await repository.commit();
  await git("tag", "-a", "-m", branch, `tag-${counter}`);
  const branches = (await git("branch", "--format=%(refname:short)")).split("\n");
  if (branches.length > 4) await git("branch", "-D", branches.find((name) => name !== branch) ?? "");
}

async function makeStarted(): Promise<MirroredRepository> {
  const mirrored = await makeMirroredRepository();
  await mirrored.repository.write("file", "one\n");
  await mirrored.repository.commit();
  await mirrored.repository.commit();
  await mirrored.step();
  return mirrored;
}

/** Expects that no object is in two packs. */
async function expectStoredOnce({ objects }: MirroredRepository): Promise<void> {
  const seen = new Map<string, string>();
  for await (const { name } of objects.list("objects/pack/")) {
    if (!name.endsWith(".idx")) continue;
    const index = openStoredIndex(Buffer.concat(await Array.fromAsync(objects.read(name))));
    for (const id of index?.ids() ?? []) {
      expect({ id, packs: [seen.get(id), name] }).toEqual({ id, packs: [undefined, name] });
      seen.set(id, name);
    }
  }
  expect(seen.size).toBeGreaterThan(0);
}

const boundaries = Array.from({ length: writesOfStep }, (_, write) => write + 1);

describe("killed", () => {
  test.each(["dies-before", "dies-after"] as const)(
    "at every write (%s), the mirror stays whole, and the next run goes on",
    async (fault) => {
      await using mirrored = await makeStarted();
      const random = seededRandom(7);
      for (const write of boundaries) {
        await advance(mirrored, random);
        const objects = faultyStore(mirrored.objects, (number) => (number === write ? fault : undefined));
        expect(await mirrored.run({ objects }).catch((error) => error)).toHaveProperty(
          "message",
          "The run is dead.",
        );
        // Plain git finds a whole repository at any time.
        await mirrored.clone();
        await mirrored.step();
      }
      await mirrored.expectEveryStepWhole();
      await expectStoredOnce(mirrored);
      expect(await mirrored.record(boundaries.length + 1)).toMatchObject({ state: "complete" });
      expect(await mirrored.record(boundaries.length + 2)).toBeNull();
    },
  );

  test("at every write of a first step", async () => {
    for (const write of boundaries) {
      await using mirrored = await makeMirroredRepository();
      await mirrored.repository.write("file", "one\n");
      await mirrored.repository.commit();
      const objects = faultyStore(mirrored.objects, (number) =>
        number === write ? "dies-after" : undefined,
      );
      expect(await mirrored.run({ objects }).catch((error) => error)).toHaveProperty(
        "message",
        "The run is dead.",
      );
      await mirrored.step();
      await expectStoredOnce(mirrored);
      await mirrored.expectEveryStepWhole();
    }
  });

  test("again and again at random writes, while the host moves on", async () => {
    await using mirrored = await makeStarted();
    const random = seededRandom(11);
    for (let each = 0; each < 12; each++) {
      for (let again = 1 + random(4); again > 0; again--) {
        await advance(mirrored, random);
        const write = 1 + random(2 * writesOfStep);
        const how = random(2) === 0 ? "dies-before" : "dies-after";
        await mirrored
          .run({ objects: faultyStore(mirrored.objects, (number) => (number === write ? how : undefined)) })
          .catch(() => {});
        await mirrored.clone();
      }
      await mirrored.step();
    }
    await mirrored.expectEveryStepWhole();
  });

  test("while it publishes, the next run reports the step", async () => {
    await using mirrored = await makeStarted();
    await advance(mirrored, seededRandom(1));
    const objects = faultyStore(mirrored.objects, (number) => (number === 6 ? "dies-before" : undefined));
    await mirrored.run({ objects }).catch(() => {});
    expect(await mirrored.step()).toMatchObject({ status: "mirrored", steps: [{ number: 2 }] });
  });
});

test("an answer that is lost at any write changes nothing", async () => {
  await using mirrored = await makeStarted();
  for (const write of boundaries) {
    await advance(mirrored, seededRandom(write));
    const objects = faultyStore(mirrored.objects, (number) => (number === write ? "lost-answer" : undefined));
    const outcome = await mirrored.step({ objects });
    expect(outcome).toMatchObject({ status: "mirrored", steps: [{ number: write + 1 }] });
    expect(objects.writes()).toBe(writesOfStep);
  }
  await mirrored.expectEveryStepWhole();
});

describe("several runs", () => {
  test("ten at once make one chain, and nothing twice", async () => {
    await using mirrored = await makeStarted();
    const random = seededRandom(3);
    let steps = 1;
    for (let day = 0; day < 6; day++) {
      await advance(mirrored, random);
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => mirrored.run({ isGone: false })));
      for (const { status } of outcomes) expect(["mirrored", "unchanged", "locked"]).toContain(status);
      const numbers = outcomes.flatMap((each) =>
        "steps" in each ? each.steps.map(({ number }) => number) : [],
      );
      expect(new Set(numbers)).toEqual(new Set([++steps]));
      await mirrored.expectEqual();
    }
    expect(await mirrored.record(steps + 1)).toBeNull();
    await mirrored.expectEveryStepWhole();
    await expectStoredOnce(mirrored);
  });

  test("ten at once, of which each takes the others for dead, while the host moves on", async () => {
    await using mirrored = await makeStarted();
    const random = seededRandom(5);
    for (let day = 0; day < 6; day++) {
      await advance(mirrored, random);
      const runs = Promise.allSettled(Array.from({ length: 10 }, () => mirrored.run()));
      await advance(mirrored, random);
      for (const result of await runs) {
        const { code } = result.status === "rejected" ? result.reason : {};
        expect([undefined, "lease-lost"]).toContain(code);
      }
      await mirrored.step();
    }
    await mirrored.expectEveryStepWhole();
  });

  test("a run that read the host before another's step does not go back", async () => {
    await using mirrored = await makeStarted();
    const { repository, record } = mirrored;
    await advance(mirrored, seededRandom(1));
    // It is held up once it has looked for the newest record.
    const [held, on] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const objects = {
      ...mirrored.objects,
      get: async (name: string) => {
        if (name !== "cursor" && !name.startsWith("_")) {
          held.resolve();
          await on.promise;
        }
        return mirrored.objects.get(name);
      },
    };
    const slow = mirrored.run({ objects });
    await held.promise;
    await repository.commit();
    await mirrored.step();
    on.resolve();
    expect(await slow).toMatchObject({ status: "unchanged" });
    await mirrored.expectEqual();
    expect(await record(3)).toBeNull();
  });

  /**
   * Holds a run up before it publishes the refs of a step, while others publish that step and one more, after which the refs
   * are what they were. Its condition holds again then.
   */
  async function publishLate(mirrored: MirroredRepository, dies: boolean) {
    const { repository } = mirrored;
    await repository.git("branch", "topic");
    await mirrored.step();
    await repository.git("branch", "-D", "topic");
    const [held, on] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const objects = faultyStore(
      mirrored.objects,
      (_, name) => (name === "info/refs" && dies ? "dies-after" : undefined),
      async (_, name) => {
        if (name !== "info/refs") return;
        held.resolve();
        await on.promise;
      },
    );
    const late = mirrored.run({ objects }).catch((error) => error);
    await held.promise;
    await mirrored.step();
    await repository.git("branch", "topic");
    await mirrored.step();
    expect((await mirrored.objects.get("info/refs"))?.text).toContain("refs/heads/topic");
    on.resolve();
    return late;
  }

  test("a run that publishes an old step too late puts that right", async () => {
    await using mirrored = await makeStarted();
    expect(await publishLate(mirrored, false)).toMatchObject({ status: "mirrored", steps: [{ number: 3 }] });
    await mirrored.expectEqual();
    await mirrored.expectEveryStepWhole();
  });

  test("and where it is killed meanwhile, the next step does", async () => {
    await using mirrored = await makeStarted();
    await publishLate(mirrored, true);
    expect((await mirrored.objects.get("info/refs"))?.text).not.toContain("refs/heads/topic");
    await mirrored.clone();
    await advance(mirrored, seededRandom(1));
    expect(await mirrored.step()).toMatchObject({ status: "mirrored", steps: [{ number: 5 }] });
    await mirrored.expectEveryStepWhole();
  });

  test.each([
    [
      "of the same branch",
      async ({ repository }: MirroredRepository) => {
        await repository.write("file", "three\n");
        await repository.commit();
      },
    ],
    ["of others", (mirrored: MirroredRepository) => advance(mirrored, seededRandom(4))],
    [
      "without objects",
      ({ repository }: MirroredRepository) => repository.git("branch", `branch-${++counter}`),
    ],
  ])(
    "a cursor that was put back two steps, the last one %s: each moment's clone is whole",
    async (_, change) => {
      await using mirrored = await makeStarted();
      const old = (await mirrored.objects.get("cursor"))?.text ?? "";
      await mirrored.repository.write("file", "two\n");
      await mirrored.repository.commit();
      await mirrored.step();
      await change(mirrored);
      await mirrored.step();
      await Bun.write(join(mirrored.folder, "cursor"), old);
      const writes: string[] = [];
      const objects = faultyStore(
        mirrored.objects,
        () => undefined,
        async (_, name) => {
          writes.push(name);
          await mirrored.clone();
        },
      );
      await mirrored.step({ objects });
      expect(writes).toEqual(["cursor", "cursor"]);
      expect((await mirrored.objects.get("cursor"))?.text).toEndWith(" 3\n");
      await mirrored.expectEveryStepWhole();
    },
  );

  test("a step that was taken over names the record before, and is of its new owner", async () => {
    await using mirrored = await makeStarted();
    await advance(mirrored, seededRandom(1));
    const objects = faultyStore(mirrored.objects, (number) => (number === 2 ? "dies-before" : undefined));
    await mirrored.run({ objects }).catch(() => {});
    const claimed = await mirrored.record(2);
    await advance(mirrored, seededRandom(2));
    await mirrored.step();
    const complete = await mirrored.record(2);
    const text = (await mirrored.objects.get("_steps/0000000001.json"))?.text ?? "";
    const before = new Bun.CryptoHasher("sha256").update(text).digest("hex");
    expect(complete).toMatchObject({ previous: "_steps/0000000001.json", before, from: claimed.from });
    expect(complete.owner).not.toBe(claimed.owner);
    expect(complete.to).not.toBe(claimed.to);
  });

  test("a step is not taken over while its run is alive", async () => {
    await using mirrored = await makeStarted();
    await advance(mirrored, seededRandom(1));
    const objects = faultyStore(mirrored.objects, (number) => (number === 2 ? "dies-before" : undefined));
    await mirrored.run({ objects }).catch(() => {});
    expect(await mirrored.run({ isGone: false })).toMatchObject({
      status: "locked",
      record: "_steps/0000000002.json",
    });
  });
});
