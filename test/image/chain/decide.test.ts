import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Decision, decide, type View } from "../../../image/chain/decide.ts";
import type { ClaimedStep, CompleteStep, StepRecord } from "../../../image/chain/record.ts";
import { explore } from "../../fixtures/model/explore.ts";
import type { Decide, World } from "../../fixtures/model/model.ts";
import { begin } from "../../fixtures/model/transitions.ts";

// A computer that is busy with something else is no defect.
setDefaultTimeout(300_000);

const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];
const lease = 60_000;
const now = Date.parse("2026-01-02T03:04:05Z");
const cursor = (commit: string, version: number, life = "first") => ({
  commit,
  version,
  identity: `${version}@${life}`,
});
/** Step 2, from a to b, claimed from a cursor of version 1 a second ago or long since. */
const claimed = (change: Partial<StepRecord> = {}, secondsAgo = 1) =>
  ({
    state: "claimed",
    number: 2,
    from: a,
    to: b,
    last: a,
    cursor: "1@first",
    claimed: new Date(now - secondsAgo * 1_000).toISOString(),
    ...change,
  }) as ClaimedStep;
const complete = (change: Partial<StepRecord> = {}, secondsAgo = 1) =>
  ({ ...claimed({}, secondsAgo), state: "complete", ...change }) as CompleteStep;
const old = 61;

const table: [situation: string, view: Pick<View, "cursor" | "tail" | "head">, decision: Decision][] = [
  [
    "no cursor and no record: the first step is claimed",
    { cursor: undefined, tail: undefined, head: a },
    { do: "claim", number: 1, from: undefined },
  ],
  [
    "a cursor at the head and no record: nothing is to be done",
    { cursor: cursor(a, 700), tail: undefined, head: a },
    { do: "rest" },
  ],
  [
    "a cursor that the bash version left: the chain takes it up, and numbers on from its version",
    { cursor: cursor(a, 700), tail: undefined, head: b },
    { do: "adopt", number: 1, adoption: { next: 701, to: a, expected: null } },
  ],
  [
    "then the next step has that number",
    {
      cursor: cursor(a, 700),
      tail: complete({ number: 1, to: a, cursor: "700@first", next: 701 }),
      head: b,
    },
    { do: "claim", number: 701, from: a },
  ],
  [
    "a step that was claimed just now: it is left to its owner",
    { cursor: cursor(a, 1), tail: claimed(), head: b },
    { do: "leave", tail: claimed() },
  ],
  [
    "a step whose lease is over: it is finished, whatever the head is now",
    { cursor: cursor(a, 1), tail: claimed({}, old), head: c },
    { do: "finish", tail: claimed({}, old) },
  ],
  [
    "a lease that is over to the very millisecond is over",
    { cursor: cursor(a, 1), tail: claimed({}, 60), head: b },
    { do: "finish", tail: claimed({}, 60) },
  ],
  [
    "a step whose run is dead, and a cursor deleted since: it is finished",
    { cursor: undefined, tail: claimed({}, old), head: b },
    { do: "finish", tail: claimed({}, old) },
  ],
  [
    "a step whose run is dead, and a cursor set by hand since: unless its diff is there, the chain goes on at the cursor",
    { cursor: cursor(c, 2), tail: claimed({}, old), head: b },
    { do: "finish", tail: claimed({}, old), instead: { to: c, expected: a, next: 3 } },
  ],
  [
    "a complete step, the cursor not moved yet: its owner may be about to",
    { cursor: cursor(a, 1), tail: complete(), head: b },
    { do: "leave", tail: complete() },
  ],
  [
    "a complete step, its lease over: the cursor is moved for it",
    { cursor: cursor(a, 1), tail: complete({}, old), head: c },
    { do: "move", tail: complete({}, old) },
  ],
  [
    "a complete first step, no cursor made yet, its lease over: the cursor is made",
    { cursor: undefined, tail: complete({ number: 1, cursor: null }, old), head: b },
    { do: "move", tail: complete({ number: 1, cursor: null }, old) },
  ],
  [
    "cursor, chain and head agree: nothing is to be done",
    { cursor: cursor(b, 2), tail: complete(), head: b },
    { do: "rest" },
  ],
  [
    "cursor and chain agree, the head went on: the next step is claimed, lease or no lease",
    { cursor: cursor(b, 2), tail: complete(), head: c },
    { do: "claim", number: 3, from: b },
  ],
  [
    "the cursor was deleted: it is made again where the chain ends",
    { cursor: undefined, tail: complete(), head: c },
    { do: "restore", to: b },
  ],
  [
    "a cursor that was made again counts from 1: the chain does not",
    { cursor: cursor(b, 1, "second"), tail: complete({ number: 20 }), head: c },
    { do: "claim", number: 21, from: b },
  ],
  [
    "the cursor was set back by hand: the chain says so before it goes on there",
    { cursor: cursor(a, 3), tail: complete(), head: b },
    { do: "adopt", number: 3, adoption: { next: 4, to: a, expected: b } },
  ],
  [
    "the cursor was set back by hand to the very head: nothing is to be done",
    { cursor: cursor(a, 3), tail: complete(), head: a },
    { do: "rest" },
  ],
  [
    "the cursor's version ran ahead: the numbers catch up",
    { cursor: cursor(b, 5), tail: complete(), head: c },
    { do: "adopt", number: 3, adoption: { next: 6, to: b, expected: null } },
  ],
];

describe("what a run does next", () => {
  test.each(table)("%s", (_, view, decision) => {
    expect(decide({ ...view, now, leaseMilliseconds: lease })).toEqual(decision);
  });
});

const [nothing, push, every] = [
  { push: 0, force: 0, hand: 0 },
  { push: 1, force: 0, hand: 0 },
  { push: 1, force: 1, hand: 1 },
];

describe("the protocol, followed through everything that may happen", () => {
  // Takes minutes, and finds what the others do, so far: MODEL=deep bun test protocol
  const deep: [string, number, World["left"]][] = [
    ["three runs, and a person who sets or deletes the cursor", 3, { push: 0, force: 0, hand: 1 }],
    ["three runs and a force-push", 3, { push: 0, force: 1, hand: 0 }],
    ["two runs, a push, and a person who does so twice", 2, { push: 1, force: 0, hand: 2 }],
    ["two runs, two pushes and a force-push", 2, { push: 2, force: 1, hand: 0 }],
  ];
  test.each<[string, number, World["left"]]>([
    ["two runs, a push, a force-push, and a person who sets or deletes the cursor", 2, every],
    ["two runs, and a person who sets or deletes the cursor twice", 2, { push: 0, force: 0, hand: 2 }],
    ["three runs and a push", 3, push],
    ...(process.env.MODEL === "deep" ? deep : []),
  ])("holds for %s", (name, workers, left) => {
    const [fresh, taken] = [explore(begin(workers, left)), explore(begin(workers, left, true))];
    console.log(`${name}: ${fresh} worlds from nothing, ${taken} from a cursor that was there`);
    expect(fresh).toBeGreaterThan(1_000);
    expect(taken).toBeGreaterThan(10_000);
  });

  const wrong: Record<string, { decide: Decide; left?: typeof push; says: string }> = {
    "takes a step from a run that is at work": {
      decide: (view) => decide({ ...view, leaseMilliseconds: 0 }),
      left: { push: 0, force: 0, hand: 1 },
      says: "has the diff of another step",
    },
    "starts a step where another is unfinished": {
      decide: (view) => decide({ ...view, tail: view.tail?.state === "claimed" ? undefined : view.tail }),
      says: "does not come to its end",
    },
    "never moves the cursor for a run that was killed": {
      decide: (view) => (decide(view).do === "move" ? { do: "rest" } : decide(view)),
      says: "does not reach the head",
    },
    "collects everything again when the cursor is gone": {
      decide: (view) => {
        const decision = decide(view);
        if (decision.do !== "restore") return decision;
        return { do: "claim", number: view.tail?.next ?? (view.tail?.number ?? 0) + 1, from: undefined };
      },
      left: { push: 0, force: 0, hand: 1 },
      says: "does not begin where the chain ended",
    },
    "takes a step's number from the cursor's version": {
      decide: (view) => {
        const decision = decide(view);
        if (decision.do !== "adopt" && decision.do !== "claim") return decision;
        const number = Math.max(view.tail?.number ?? 0, view.cursor?.version ?? 0) + 1;
        return { do: "claim", number, from: view.cursor?.commit };
      },
      says: "is not the next number",
    },
  };
  test.each(Object.entries(wrong))("would not hold if a run %s", (_, { decide, left = push, says }) => {
    expect(() => explore(begin(2, left), decide) + explore(begin(2, left, true), decide)).toThrow(says);
  });

  test("would not hold if nothing could happen: the worlds are counted", () => {
    expect(explore(begin(0, nothing))).toBe(1);
  });
});
