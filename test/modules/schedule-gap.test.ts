import { expect, test } from "bun:test";
import { longestGapHours } from "../../modules/schedule-gap.ts";

test.each([
  ["rate(1 minute)", 1],
  ["rate(90 minutes)", 2],
  ["rate(12 hours)", 12],
  ["rate(7 days)", 168],
  ["rate(8 days)", 192],
  ["cron(0 0 * * ? *)", 24],
  ["cron(0/15 * * * ? *)", 1],
  ["cron(0 0 ? * SUN-SAT *)", 24],
  ["cron(0 0 1/1 * ? *)", 24],
  ["rate(1441 minutes)", 25],
  ["cron(0 6,18 * * ? *)", 12],
  ["cron(0 8-17 * * ? *)", 15],
  ["cron(0 0/6 * * ? *)", 6],
  ["cron(0 0 ? * MON *)", 168],
  ["cron(0 0 ? * MON-FRI *)", 72],
  ["cron(0 0 ? * FRI-MON *)", 96],
  ["cron(0 0 ? * 2,4,6 *)", 72],
  ["cron(0 9,17 ? * SAT,SUN *)", 5 * 24 + 16],
  ["cron(0 0 */2 * ? *)", 48],
  ["cron(0 0 1 * ? *)", 31 * 24],
  ["cron(0 0 ? * FRIL *)", undefined],
  ["cron(0 0 ? * 6#3 *)", undefined],
  ["cron(0 0 L * ? *)", undefined],
  ["cron(0 0 * JUN ? *)", 337 * 24],
  ["cron(0 0 * * ? 2026)", undefined],
])("%s runs again after %p hours at most", (expression, hours) => {
  expect(longestGapHours(expression)).toBe(hours);
});
