import { expect, test } from "bun:test";
import { inOrder, inParallel } from "../../../image/lib/parallel.ts";

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

test("a stream of results is in the order of the items, and works no further ahead than its limit", async () => {
  let [running, most] = [0, 0];
  const work = async (milliseconds: number) => {
    most = Math.max(most, ++running);
    await Bun.sleep(milliseconds);
    running--;
    return milliseconds;
  };
  const times = [20, 1, 10, 1, 1, 5, 1];
  expect(await Array.fromAsync(inOrder(times, 3, work))).toEqual(times);
  expect(most).toBe(3);
  expect(await Array.fromAsync(inOrder([], 3, work))).toEqual([]);
});

test("a stream throws an error in its turn, and starts nothing more", async () => {
  const started: string[] = [];
  const work = async (name: string) => {
    started.push(name);
    await Bun.sleep(name === "slow" ? 20 : 1);
    if (name === "bad") throw new Error("bad");
    return name;
  };
  const results: string[] = [];
  const read = async () => {
    for await (const name of inOrder(["slow", "bad", "good", "never"], 2, work)) results.push(name);
  };
  await expect(read()).rejects.toThrow("bad");
  expect(results).toEqual(["slow"]);
  expect(started).not.toContain("never");
});

test("a stream that is left waits for what runs", async () => {
  let ended = 0;
  const work = async () => {
    await Bun.sleep(5);
    ended++;
  };
  for await (const _ of inOrder([1, 2, 3, 4, 5], 3, work)) break;
  expect(ended).toBe(3);
});
