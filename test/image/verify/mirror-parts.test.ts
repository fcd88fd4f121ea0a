import { expect, test } from "bun:test";
import type { MirrorPack } from "../../../image/mirror/record.ts";
import { choosePart } from "../../../image/verify/mirror-packs.ts";

/** Packs as a year of steps leaves them: a large one, small ones, and merged ones. */
const packs = Array.from({ length: 300 }, (_, index): MirrorPack => {
  const name = `pack-${String(index).padStart(40, "0")}`;
  const bytes =
    index === 0 ? 50_000_000 : index % 30 === 0 ? 3_000_000 : 100_000 + ((index * 7_919) % 50_000);
  return { name, bytes, sha256: "", objects: 1, indexBytes: 1, indexSha256: "" };
});
const parts = (packs: readonly MirrorPack[], of: number) =>
  Array.from({ length: of }, (_, index) => choosePart(packs, { number: index + 1, of }));

test("every pack is in one part", () => {
  for (const of of [1, 2, 7, 31, 400]) {
    const all = parts(packs, of).flat();
    expect(all.map(({ name }) => name).sort()).toEqual(packs.map(({ name }) => name).sort());
  }
});

test("parts without the largest pack have about as many bytes", () => {
  const sums = parts(packs, 7).map((part) => part.reduce((sum, { bytes }) => sum + bytes, 0));
  const [largest = 0, ...others] = sums.sort((a, b) => b - a);
  expect(largest).toBe(50_000_000);
  expect((others[0] ?? 0) - (others.at(-1) ?? 0)).toBeLessThan(3_000_000);
});

test("a new pack moves no older one, so parts that are checked day by day leave none out", () => {
  for (const length of [1, 2, 50, 299]) {
    const [then, now] = [parts(packs.slice(0, length), 7), parts(packs, 7)];
    for (const [index, part] of then.entries()) {
      expect(now[index]?.slice(0, part.length)).toEqual(part);
    }
  }
});
