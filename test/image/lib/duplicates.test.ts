import { expect, test } from "bun:test";
import { duplicateIndexes } from "../../../image/lib/duplicates.ts";

test.each([
  [[], []],
  [["a", "b"], []],
  [["a", "b", "a"], [2]],
  [
    ["a", "a", "b", "a"],
    [1, 3],
  ],
  [[undefined, undefined], [1]],
])("the duplicates of %j are at %j", (values, indexes) => {
  expect(duplicateIndexes(values)).toEqual(indexes);
});
