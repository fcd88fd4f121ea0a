import { expect, test } from "bun:test";
import { settleAll } from "../../../image/lib/settle.ts";

test("returns all results", async () => {
  expect(await settleAll(1, Promise.resolve("two"))).toEqual([1, "two"]);
});

test("throws the first error in order, after everything has settled", async () => {
  let settled = false;
  const slow = Bun.sleep(10).then(() => {
    settled = true;
  });
  await expect(
    settleAll(slow, Promise.reject(new Error("one")), Promise.reject(new Error("two"))),
  ).rejects.toThrow("one");
  expect(settled).toBe(true);
});
