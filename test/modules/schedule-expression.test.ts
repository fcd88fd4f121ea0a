import { expect, test } from "bun:test";
import { validateExpression, validateTimezone } from "../../modules/schedule-expression.ts";

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
  ["cron(60 0 * * ? *)", /"60" for minutes, which is 0 to 59/],
  ["cron(0 24 * * ? *)", /"24" for hours, which is 0 to 23/],
  ["cron(0 0 32 * ? *)", /"32" for day of month, which is 1 to 31/],
  ["cron(0 0 0 * ? *)", /"0" for day of month/],
  ["cron(0 0 * FOO ? *)", /"FOO" for month, which is 1 to 12, JAN to DEC/],
  ["cron(0 0 ? * 0 *)", /"0" for day of week, which is 1 to 7, SUN to SAT/],
  ["cron(0 0 ? * MON#6 *)", /"MON#6" for day of week/],
  ["cron(0 0 * * ? 1969)", /"1969" for year, which is 1970 to 2199/],
  ["cron(0/0 0 * * ? *)", /"0\/0" for minutes/],
  ["cron(1- 0 * * ? *)", /"1-" for minutes/],
  ["cron(1,,2 0 * * ? *)", /"1,,2" for minutes/],
  ["cron(? 0 * * ? *)", /"\?" for minutes/],
  ["cron(0 0 * * * *)", /\? in exactly one of day of month and day of week/],
  ["cron(0 0 ? * ? *)", /\? in exactly one/],
])("%s is refused", (expression, why) => {
  expect(validateExpression(expression)).toMatch(why);
});

test.each([
  ["@daily", "cron(0 0 * * ? *)"],
  ["@Hourly", "cron(0 * * * ? *)"],
  ["@weekly", "cron(0 0 ? * SUN *)"],
  ["@monthly", "cron(0 0 1 * ? *)"],
  ["@yearly", "cron(0 0 1 JAN ? *)"],
  ["0 3 * * *", "cron(0 3 * * ? *)"],
  ["cron(0 3 * * *)", "cron(0 3 * * ? *)"],
  ["*/15 8-17 * * 1-5", "cron(*/15 8-17 ? * MON-FRI *)"],
  ["0 3 * * 0,6", "cron(0 3 ? * SUN,SAT *)"],
  ["0 3 * * 5-7", "cron(0 3 ? * FRI-SUN *)"],
  ["0 3 * * */2", "cron(0 3 ? * */2 *)"],
  ["0 3 1 * *", "cron(0 3 1 * ? *)"],
  ["0 3 * jan mon", "cron(0 3 ? JAN MON *)"],
  ["cron(0 3 ? * MON)", "cron(0 3 ? * MON *)"],
  ["cron(0 0  * * ? *)", "cron(0 0 * * ? *)"],
  [" cron(0 0 * * ? *)", "cron(0 0 * * ? *)"],
  ["CRON( 0 0 * * ? * )", "cron(0 0 * * ? *)"],
  ["cron(0 0 ? * mon-fri *)", "cron(0 0 ? * MON-FRI *)"],
  ["cron(0 0 ? * Monday,Friday *)", "cron(0 0 ? * MON,FRI *)"],
  ["cron(0 0 1 january ? *)", "cron(0 0 1 JAN ? *)"],
  ["cron(0 0 * * * *)", "cron(0 0 * * ? *)"],
  ["cron(0 0 * * 2-6 *)", "cron(0 0 ? * 2-6 *)"],
  ["cron(0 0 ? * ? *)", "cron(0 0 * * ? *)"],
  ["0 0 3 * * ?", "cron(0 3 * * ? *)"],
  ["cron(0 0 3 ? * MON *)", "cron(0 3 ? * MON *)"],
  ["rate(1  day)", "rate(1 day)"],
  ["rate( 12 Hours )", "rate(12 hours)"],
  ["rate(24h)", "rate(24 hours)"],
  ["1 day", "rate(1 day)"],
  ["rate(2 weeks)", "rate(14 days)"],
  // Two restrictions are alternatives on Unix, which AWS cannot express.
  ["0 3 1 * 1", "cron(0 0 * * ? *)"],
  ["nonsense", "cron(0 0 * * ? *)"],
])("instead of %j, the message says to write %j", (expression, corrected) => {
  expect(validateExpression(expression)).toContain(`; use "${corrected}"`);
  expect(validateExpression(corrected)).toBeUndefined();
});

test.each([
  "cron(0 0 ? * MON,WED,FRI *)",
  "cron(0 0 ? * MON,WED-FRI *)",
  "cron(0 0 1 JAN,JUL ? *)",
  "cron(0 0 ? * SAT-MON *)",
])("%s has names in a list or a range, and is a schedule", (expression) => {
  expect(validateExpression(expression)).toBeUndefined();
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
  ["", /not a time zone that AWS supports; use a name from the IANA list/],
  ["Berlin", /not a time zone that AWS supports; use "Europe\/Berlin"/],
  ["new york", /use "America\/New_York"/],
  ["europe/berlin", /must be written "Europe\/Berlin"/],
])("%p is not a time zone", (timezone, why) => {
  expect(validateTimezone(timezone)).toMatch(why);
});
