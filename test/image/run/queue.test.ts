import { expect, test } from "bun:test";
import { openQueue } from "../../../image/run/queue.ts";

const { signal } = new AbortController();
const hostOf = (item: string) => item[0] ?? "";

/** Takes all items, and returns them in their order. */
async function drain(queue: ReturnType<typeof openQueue<string>>): Promise<string[]> {
  const taken: string[] = [];
  for (let item = await queue.take(signal); item; item = await queue.take(signal)) {
    taken.push(item);
    queue.finish();
  }
  return taken;
}

test("hosts take turns", async () => {
  const queue = openQueue(["a1", "a2", "a3", "b1", "b2", "c1"], hostOf, () => 0);
  const taken = await drain(queue);
  expect(taken.toSorted()).toEqual(["a1", "a2", "a3", "b1", "b2", "c1"]);
  expect(taken.slice(0, 3).map(hostOf).toSorted()).toEqual(["a", "b", "c"]);
  expect(taken.slice(3, 5).map(hostOf).toSorted()).toEqual(["a", "b"]);
});

test("a host that pauses does not delay the others, and is asked again afterwards", async () => {
  const until = Date.now() + 100;
  const queue = openQueue(["a1", "a2", "b1", "b2"], hostOf, (item) => (hostOf(item) === "a" ? until : 0));
  const times = new Map<string, number>();
  for (let item = await queue.take(signal); item; item = await queue.take(signal)) {
    times.set(item, Date.now());
    queue.finish();
  }
  expect([...times.keys()]).toEqual(["b1", "b2", "a1", "a2"]);
  expect(times.get("b2")).toBeLessThan(until);
  expect(times.get("a1")).toBeGreaterThanOrEqual(until);
});

test("an item that is put back is taken again, also by another worker that waits", async () => {
  const queue = openQueue(["a1"], hostOf, () => 0);
  expect(await queue.take(signal)).toBe("a1");
  const waiting = queue.take(signal);
  queue.putBack("a1");
  expect(await waiting).toBe("a1");
  const end = queue.take(signal);
  queue.finish();
  expect(await end).toBeUndefined();
});
