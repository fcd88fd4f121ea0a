import { expect, test } from "bun:test";
import { similar } from "../../modules/similar.ts";

const words = ["region", "repositories", "kmsKey", "cpu", "logRetentionDays", "resultRetentionDays"];

test.each([
  ["regoin", "region"],
  ["Region", "region"],
  ["kms_key", "kmsKey"],
  ["kmsKeys", "kmsKey"],
  ["repos", "repositories"],
  ["repository", "repositories"],
  ["log-retention-days", "logRetentionDays"],
  ["cpus", "cpu"],
  ["cup", "cpu"],
])("%s is similar to %s", (misspelt, word) => {
  expect(similar(misspelt, words)).toBe(word);
});

test.each(["", "x", "memory", "rep", "colour", "retention"])("%j is similar to none", (misspelt) => {
  expect(similar(misspelt, words)).toBeUndefined();
});
