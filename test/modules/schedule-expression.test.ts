import { expect, test } from "bun:test";
import { isDaily, validateExpression, validateTimezone } from "../../modules/schedule-expression.ts";

test.each([
  "cron(0 0 * * ? *)",
  "cron(15 10 ? * 6L 2022-2030)",
  "cron(0/5 8-17 ? * MON-FRI *)",
  "cron(0 8 1,15 JAN-JUN ? *)",
  "cron(0 0 L * ? *)",
  "cron(0 0 LW * ? *)",
  "cron(0 0 15W * ? *)",
  "cron(0 0 ? * TUE#2 *)",
  "cron(*/15 * * * ? *)",
  "rate(1 hour)",
  "rate(1 hours)",
  "rate(90 minutes)",
  "rate(7 days)",
])("%s is a schedule", (expression) => {
  expect(validateExpression(expression)).toBeUndefined();
});

test.each([
  ["0 0 * * *", /neither cron\(\.\.\.\) nor rate/],
  ["at(2026-01-02T00:00:00)", /neither cron\(\.\.\.\) nor rate/],
  ["daily", /neither/],
  ["rate(0 hours)", /whole number from 1/],
  ["rate(1.5 hours)", /whole number from 1/],
  ["rate(2 weeks)", /minutes, hours or days/],
  ["rate(hour)", /whole number/],
  ["cron(0 0 * * *)", /has 5 fields; AWS requires six/],
  ["cron(0 0  * * ? *)", /has 7 fields/],
  ["cron(0x1 0 * * ? *)", /"0x1" for minutes/],
  ["cron(1e1 0 * * ? *)", /"1e1" for minutes/],
  ["cron(+5 0 * * ? *)", /"\+5" for minutes/],
  ["cron(5.0 0 * * ? *)", /"5\.0" for minutes/],
  ["rate(9999999 days)", /from 1 to 999999/],
  ["cron(60 0 * * ? *)", /"60" for minutes; use 0 to 59/],
  ["cron(0 24 * * ? *)", /"24" for hours; use 0 to 23/],
  ["cron(0 0 32 * ? *)", /"32" for day of month; use 1 to 31/],
  ["cron(0 0 0 * ? *)", /"0" for day of month/],
  ["cron(0 0 * FOO ? *)", /"FOO" for month; use 1 to 12/],
  ["cron(0 0 ? * 0 *)", /"0" for day of week; use 1 to 7/],
  ["cron(0 0 ? * MON#6 *)", /"MON#6" for day of week/],
  ["cron(0 0 * * ? 1969)", /"1969" for year; use 1970 to 2199/],
  ["cron(0/0 0 * * ? *)", /"0\/0" for minutes/],
  ["cron(1- 0 * * ? *)", /"1-" for minutes/],
  ["cron(1,,2 0 * * ? *)", /"1,,2" for minutes/],
  ["cron(? 0 * * ? *)", /"\?" for minutes/],
  ["cron(0 0 * * * *)", /\? in exactly one of day of month and day of week/],
  ["cron(0 0 ? * ? *)", /\? in exactly one/],
])("%s is refused", (expression, why) => {
  expect(validateExpression(expression)).toMatch(why);
});

test.each(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Calcutta", "Etc/GMT+5"])(
  "%s is a time zone",
  (timezone) => {
    expect(validateTimezone(timezone)).toBeUndefined();
  },
);

test.each([
  ["Mars/Olympus", /not a time zone that AWS supports/],
  ["+01:00", /not a time zone that AWS supports/],
  ["", /not a time zone/],
  ["europe/berlin", /must be written "Europe\/Berlin"/],
])("%p is not a time zone", (timezone, why) => {
  expect(validateTimezone(timezone)).toMatch(why);
});

test.each([
  ["cron(0 0 * * ? *)", true],
  ["cron(0/5 8-17 ? * * *)", true],
  ["cron(0 0 1/1 * ? *)", true],
  ["cron(0 0 ? * SUN-SAT *)", true],
  ["cron(0 0 ? * MON-FRI *)", false],
  ["cron(0 0 1 * ? *)", false],
  ["cron(0 0 * JAN ? *)", false],
  ["cron(0 0 * * ? 2027)", false],
  ["rate(1 day)", true],
  ["rate(2 days)", false],
  ["rate(24 hours)", true],
  ["rate(25 hours)", false],
  ["rate(1440 minutes)", true],
  ["rate(1441 minutes)", false],
])("%s is due every day: %p", (expression, daily) => {
  expect(isDaily(expression)).toBe(daily);
});
