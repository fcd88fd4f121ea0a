const DAY = 24 * 3600_000;

/**
 * Returns the hours between one run of a valid schedule expression and the next, at most. Undefined if the schedule ends,
 * or has days such as the last Friday.
 */
export function longestGapHours(expression: string): number | undefined {
  const [, count, unit = ""] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  return count ? Math.ceil(Number(count) * (hoursOf[unit] ?? 0)) : cronGapHours(expression);
}

const hoursOf: Readonly<Record<string, number>> = { minute: 1 / 60, hour: 1, day: 24 };
const names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

function cronGapHours(expression: string): number | undefined {
  const fields = expression.slice("cron(".length, -1).trim().split(/\s+/);
  const [, hour = "", dayOfMonth = "", month = "", dayOfWeek = "", year = ""] = fields;
  // A day such as the last Friday is counted as none, so that at worst an alarm is left out.
  if (year !== "*" || /[LW#]/.test(dayOfMonth + dayOfWeek.replace(/WED/g, ""))) return undefined;
  const hours = numbers(hour, 0, 23);
  const monthDays = numbers(dayOfMonth, 1, 31);
  const monthNumbers = numbers(month, 1, 12, months);
  const weekDays = numbers(dayOfWeek, 1, 7, names);
  // Four years, so that a leap day is among them.
  const days = Array.from({ length: 4 * 366 }, (_, index) => new Date(Date.UTC(2023, 0, 1) + index * DAY));
  const due = days.filter(
    (day) =>
      monthNumbers.has(day.getUTCMonth() + 1) &&
      monthDays.has(day.getUTCDate()) &&
      weekDays.has(day.getUTCDay() + 1),
  );
  const runs = due.flatMap((day) => [...hours].map((each) => day.getTime() / 3600_000 + each));
  if (runs.length < 2) return undefined;
  return Math.max(...runs.slice(1).map((run, index) => run - (runs[index] ?? 0)));
}

/** Returns the numbers that a field of a cron expression matches, in ascending order. */
function numbers(
  field: string,
  min: number,
  max: number,
  named: readonly string[] = [],
): ReadonlySet<number> {
  const toNumber = (text: string) => {
    const index = named.indexOf(text.toUpperCase());
    return index >= 0 ? index + min : Number(text);
  };
  const found = field.split(",").flatMap((part) => {
    const [range = "", step] = part.split("/");
    const [first = "", last = step ? String(max) : first] = /^[*?]$/.test(range)
      ? [String(min), String(max)]
      : range.split("-");
    const [from, to] = [toNumber(first), toNumber(last)];
    // AWS accepts ranges around the end, such as SAT-MON.
    const size = max - min + 1;
    const length = ((((to - from) % size) + size) % size) + 1;
    const all = Array.from({ length }, (_, index) => ((from - min + index) % size) + min);
    return all.filter((_, index) => index % Number(step ?? 1) === 0);
  });
  return new Set(found.sort((a, b) => a - b));
}
