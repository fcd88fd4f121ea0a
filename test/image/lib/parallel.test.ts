import { expect, test } from "bun:test";
import { inParallel } from "../../../image/lib/parallel.ts";

test("results are in the order of the items, whichever ends first", async () => {
  const work = async (milliseconds: number) => {
    await Bun.sleep(milliseconds);
    return milliseconds;
  };
  expect(await inParallel([30, 1, 20], 3, work)).toEqual([30, 1, 20]);
  expect(await inParallel([], 3, work)).toEqual([]);
});

test("no more than the limit run at once", async () => {
  let [running, most] = [0, 0];
  await inParallel(Array.from({ length: 20 }), 3, async () => {
    most = Math.max(most, ++running);
    await Bun.sleep(1);
    running--;
  });
  expect(most).toBe(3);
});

test("after an error nothing new starts, and the error waits for what runs", async () => {
  const events: string[] = [];
  const work = async (name: string) => {
    events.push(`start ${name}`);
    await Bun.sleep(name === "slow" ? 20 : 1);
    if (name === "bad") throw new Error("bad");
    events.push(`end ${name}`);
  };
  await expect(inParallel(["slow", "bad", "never"], 2, work)).rejects.toThrow("bad");
  expect(events).toEqual(["start slow", "start bad", "end slow"]);
});
