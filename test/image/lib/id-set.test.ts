import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { idSet } from "../../../image/lib/id-set.ts";

test("keeps each id once, however many there are", () => {
  const [set, reference] = [idSet(), new Set<string>()];
  for (let index = 0; index < 60_000; index++) {
    const id = createHash("sha1")
      .update(String(index % 40_000))
      .digest("hex");
    set.add(id);
    reference.add(id);
  }
  for (const id of reference) if (!set.has(id)) throw new Error(`${id} is missing.`);
  for (const id of ["0".repeat(40), "f".repeat(40)]) expect(set.has(id)).toBe(false);
  const drained = [...set.drain()];
  expect(drained).toHaveLength(reference.size);
  expect(new Set(drained)).toEqual(reference);
  expect([...set.drain()]).toEqual([]);
});

test("ids that differ in one byte are different", () => {
  const set = idSet();
  const ids = Array.from({ length: 40 }, (_, index) => `${"0".repeat(index)}1${"0".repeat(39 - index)}`);
  for (const id of ids) set.add(id);
  expect([...set.drain()].sort()).toEqual(ids.sort());
});
