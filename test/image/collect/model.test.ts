import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { decide } from "../../../image/chain/decide.ts";
import { explore } from "../../fixtures/model/explore.ts";
import type { Decide } from "../../fixtures/model/turn.ts";
import { begin, commitOf, type Events } from "../../fixtures/model/world.ts";
import { testAll } from "../../fixtures/requirements.ts";

// A busy computer is no defect.
setDefaultTimeout(900_000);

const nothing: Events = { push: 0, force: 0, hand: 0 };
const push: Events = { ...nothing, push: 1 };
const hand: Events = { ...nothing, hand: 1 };

type Case = [title: string, runs: number, events: Events, cursorLeft: boolean];

const quick: Case[] = [
  [
    "two runs, a push, a force-push, and a person who sets or deletes the cursor",
    2,
    { push: 1, force: 1, hand: 1 },
    false,
  ],
  ["two runs and a person, from a cursor that another program left", 2, hand, true],
  ["three runs", 3, nothing, true],
];
const thorough: Case[] = [
  ["two runs, a push, a force-push and a person, from a cursor", 2, { push: 1, force: 1, hand: 1 }, true],
  ["two runs, and a person who sets or deletes the cursor twice", 2, { ...hand, hand: 2 }, false],
  ["two runs, and a person who does so twice, from a cursor", 2, { ...hand, hand: 2 }, true],
  ["three runs and a push", 3, push, false],
  ["three runs and a push, from a cursor", 3, push, true],
];

describe("the worker's own code, through every order of events", () => {
  test.each(testAll ? [...quick, ...thorough] : quick)(
    "keeps the promise with %s",
    async (title, runs, events, cursorLeft) => {
      const worlds = await explore(begin(runs, events, cursorLeft));
      console.log(`${title}: ${worlds} worlds`);
      expect(worlds).toBeGreaterThan(4_000);
    },
  );

  test("keeps the promise with two runs that ask for the head again, and two pushes", async () => {
    const worlds = await explore(begin(2, { ...push, push: 2 }, false), undefined, undefined, true);
    console.log(`two runs that ask again, and two pushes: ${worlds} worlds`);
    expect(worlds).toBeGreaterThan(4_000);
  });

  test.each([
    ["two runs, a push and a force-push", 2, { push: 2, force: 1, hand: 0 }, false, 2],
    ["two runs, a push and a person, from a cursor", 2, { push: 1, force: 0, hand: 1 }, true, 2],
    ["two runs, and a first commit that cannot be collected", 2, { push: 1, force: 0, hand: 0 }, false, 1],
  ] as const)(
    "keeps it although one commit cannot be collected, with %s",
    async (title, runs, events, cursorLeft, bad) => {
      const worlds = await explore(begin(runs, events, cursorLeft), undefined, commitOf(bad));
      console.log(`${title}, one of which cannot be collected: ${worlds} worlds`);
      expect(worlds).toBeGreaterThan(500);
    },
  );

  const wrong: Record<string, { decide: Decide; events?: Events; finds: string }> = {
    "takes a step from a run that is at work": {
      decide: (view) => decide({ ...view, now: Number.POSITIVE_INFINITY }),
      events: hand,
      finds: "is named by no record",
    },
    "starts a step where another is unfinished": {
      decide: (view) => decide({ ...view, tail: view.tail?.state === "claimed" ? undefined : view.tail }),
      finds: "does not come to its end",
    },
    "never moves the cursor for a run that was killed": {
      decide: (view) => (decide(view).action === "advance-cursor" ? { action: "up-to-date" } : decide(view)),
      finds: "does not reach the head",
    },
    "collects everything again when the cursor is gone": {
      decide: (view) => {
        const decision = decide(view);
        if (decision.action !== "recreate-cursor") return decision;
        const number = view.tail?.next ?? (view.tail?.number ?? 0) + 1;
        return { action: "claim", number, from: undefined };
      },
      events: hand,
      finds: "does not begin where the chain ended",
    },
    "takes a step's number from the cursor's version": {
      decide: (view) => {
        const decision = decide(view);
        if (decision.action !== "accept-cursor" && decision.action !== "claim") return decision;
        const number = Math.max(view.tail?.number ?? 0, view.cursor?.version ?? 0) + 1;
        return { action: "claim", number, from: view.cursor?.commit };
      },
      finds: "is not the next number",
    },
  };
  test.each(Object.entries(wrong))("breaks it if a run %s", async (_, { decide, events = push, finds }) => {
    const exploring = explore(begin(2, events), decide).then(() => explore(begin(2, events, true), decide));
    expect(exploring).rejects.toThrow(finds);
    await exploring.catch(() => {});
  });

  test("counts worlds: without events there is one", async () => {
    expect(await explore(begin(0, nothing))).toBe(1);
  });
});
