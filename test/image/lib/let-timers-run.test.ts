import { expect, test } from "bun:test";
import { letTimersRun } from "../../../image/lib/let-timers-run.ts";

/** Is always ready, for some time. */
async function* busy(milliseconds: number) {
  const end = performance.now() + milliseconds;
  for (let number = 0; performance.now() < end; number++) yield number;
}

test("a timer runs although data is always ready, and nothing is lost", async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  let expected = 0;
  for await (const number of letTimersRun(busy(300))) expect(number === expected++).toBe(true);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(5);
});

test("ending it ends the source", async () => {
  let ended = false;
  async function* source() {
    try {
      yield* busy(10_000);
    } finally {
      ended = true;
    }
  }
  for await (const _ of letTimersRun(source())) break;
  expect(ended).toBe(true);
});
