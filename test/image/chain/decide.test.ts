import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Decision, decide, type View } from "../../../image/chain/decide.ts";
import type { ClaimedStep, CompleteStep, StepRecord } from "../../../image/chain/record.ts";

// The computer may be busy.
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
    { action: "claim", number: 1, from: undefined },
  ],
  [
    "a cursor at the head and no record: nothing is to be done",
    { cursor: cursor(a, 700), tail: undefined, head: a },
    { action: "up-to-date" },
  ],
  [
    "a cursor that the bash version left: the chain takes it up, and numbers on from its version",
    { cursor: cursor(a, 700), tail: undefined, head: b },
    { action: "accept-cursor", number: 1, acceptance: { next: 701, to: a, expected: null } },
  ],
  [
    "then the next step has that number",
    {
      cursor: cursor(a, 700),
      tail: complete({ number: 1, to: a, cursor: "700@first", next: 701 }),
      head: b,
    },
    { action: "claim", number: 701, from: a },
  ],
  [
    "a step that was claimed just now: it is left to its owner",
    { cursor: cursor(a, 1), tail: claimed(), head: b },
    { action: "wait", tail: claimed() },
  ],
  [
    "a step whose lease is over: it is finished, whatever the head is now",
    { cursor: cursor(a, 1), tail: claimed({}, old), head: c },
    { action: "resume", tail: claimed({}, old) },
  ],
  [
    "a lease that is over to the very millisecond is over",
    { cursor: cursor(a, 1), tail: claimed({}, 60), head: b },
    { action: "resume", tail: claimed({}, 60) },
  ],
  [
    "a step whose run is dead, and a cursor deleted since: it is finished",
    { cursor: undefined, tail: claimed({}, old), head: b },
    { action: "resume", tail: claimed({}, old) },
  ],
  [
    "a step whose run is dead, and a cursor set by hand since: unless its diff is there, the chain goes on at the cursor",
    { cursor: cursor(c, 2), tail: claimed({}, old), head: b },
    { action: "resume", tail: claimed({}, old), instead: { to: c, expected: a, next: 3 } },
  ],
  [
    "a complete step, the cursor not moved yet: its owner may be about to",
    { cursor: cursor(a, 1), tail: complete(), head: b },
    { action: "wait", tail: complete() },
  ],
  [
    "a complete step, its lease over: the cursor is moved for it",
    { cursor: cursor(a, 1), tail: complete({}, old), head: c },
    { action: "advance-cursor", tail: complete({}, old) },
  ],
  [
    "a complete first step, no cursor made yet, its lease over: the cursor is made",
    { cursor: undefined, tail: complete({ number: 1, cursor: null }, old), head: b },
    { action: "advance-cursor", tail: complete({ number: 1, cursor: null }, old) },
  ],
  [
    "cursor, chain and head agree: nothing is to be done",
    { cursor: cursor(b, 2), tail: complete(), head: b },
    { action: "up-to-date" },
  ],
  [
    "cursor and chain agree, the head went on: the next step is claimed, lease or no lease",
    { cursor: cursor(b, 2), tail: complete(), head: c },
    { action: "claim", number: 3, from: b },
  ],
  [
    "the cursor was deleted: it is made again where the chain ends",
    { cursor: undefined, tail: complete(), head: c },
    { action: "recreate-cursor", to: b },
  ],
  [
    "a cursor that was made again counts from 1: the chain does not",
    { cursor: cursor(b, 1, "second"), tail: complete({ number: 20 }), head: c },
    { action: "claim", number: 21, from: b },
  ],
  [
    "the cursor was set back by hand: the chain records that before it continues there",
    { cursor: cursor(a, 3), tail: complete(), head: b },
    { action: "accept-cursor", number: 3, acceptance: { next: 4, to: a, expected: b } },
  ],
  [
    "the cursor was set back by hand to the very head: nothing is to be done",
    { cursor: cursor(a, 3), tail: complete(), head: a },
    { action: "up-to-date" },
  ],
  [
    "the cursor's version ran ahead: the numbers catch up",
    { cursor: cursor(b, 5), tail: complete(), head: c },
    { action: "accept-cursor", number: 3, acceptance: { next: 6, to: b, expected: null } },
  ],
];

describe("what a run does next", () => {
  test.each(table)("%s", (_, view, decision) => {
    expect(decide({ ...view, now, leaseMilliseconds: lease })).toEqual(decision);
  });
});
