/** What is wrong with a schedule expression, in words that end in what to write instead. Undefined: nothing. */
export function mistakeInExpression(expression: string): string | undefined {
  const [, kind, body = ""] = /^(cron|rate)\((.*)\)$/.exec(expression) ?? [];
  if (kind === "rate") return mistakeInRate(body);
  if (kind === "cron") return mistakeInCron(body);
  return 'is neither cron(...) nor rate(...); write "cron(0 0 * * ? *)" for every midnight, or "rate(12 hours)"';
}

/** Whether a right expression is due at least once on every day, so far as that is seen at a glance. */
export function isDaily(expression: string): boolean {
  const [, count, unit = ""] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const most: Readonly<Record<string, number>> = { minute: 24 * 60, hour: 24, day: 1 };
  if (count !== undefined) return Number(count) <= (most[unit] ?? 0);
  const [, , ...days] = expression.slice("cron(".length, -1).split(" ");
  return days.every((field) => /^([*?]|[*1]\/1|SUN-SAT)$/.test(field));
}

function mistakeInRate(body: string): string | undefined {
  if (/^[1-9]\d{0,5} (minute|hour|day)s?$/.test(body)) return undefined;
  return 'is not a whole number from 1 to 999999 and a unit of minutes, hours or days; write "rate(12 hours)"';
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names that stand for the numbers from min on. */
  readonly words?: readonly string[];
  /** What the field takes beside numbers, lists, ranges and steps. */
  readonly also?: RegExp;
}

// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const FIELDS: readonly Field[] = [
  { name: "minutes", min: 0, max: 59 },
  { name: "hours", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31, also: /^(\?|L|LW|([1-9]|[12]\d|3[01])W)$/ },
  { name: "month", min: 1, max: 12, words: MONTHS },
  {
    name: "day of week",
    min: 1,
    max: 7,
    words: DAYS,
    also: /^(\?|L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5]))$/,
  },
  { name: "year", min: 1970, max: 2199 },
];

function mistakeInCron(body: string): string | undefined {
  const values = body.split(" ");
  if (values.length !== FIELDS.length) {
    return `has ${values.length} fields; AWS wants six: minutes, hours, day of month, month, day of week, year, as in "cron(0 0 * * ? *)"`;
  }
  for (const [index, field] of FIELDS.entries()) {
    const value = values[index] ?? "";
    if (!fits(value, field)) {
      return `has "${value}" for ${field.name}; write ${field.min} to ${field.max}, or *, as in "cron(0 0 * * ? *)"`;
    }
  }
  if ((values[2] === "?") === (values[4] === "?")) {
    return 'wants ? in exactly one of day of month and day of week; write "cron(0 0 * * ? *)"';
  }
  return undefined;
}

function fits(value: string, field: Field): boolean {
  return field.also?.test(value) || value.split(",").every((part) => fitsPart(part, field));
}

/** `*`, `5`, `MON-FRI`, and each of them with a step, as in `0/15`. */
function fitsPart(part: string, { min, max, words = [] }: Field): boolean {
  const [range = "", step, ...rest] = part.split("/");
  if (rest.length > 0 || (step !== undefined && !(/^\d+$/.test(step) && Number(step) > 0))) return false;
  if (range === "*") return true;
  const ends = range
    .split("-")
    .map((end) =>
      words.includes(end) ? words.indexOf(end) + min : /^\d{1,4}$/.test(end) ? Number(end) : -1,
    );
  return ends.length <= 2 && ends.every((end) => end >= min && end <= max);
}

/** What is wrong with the name of a time zone. Undefined: nothing. */
export function mistakeInTimezone(timezone: string): string | undefined {
  const unknown =
    'is not a time zone that AWS knows; write a name from the IANA list, such as "Europe/Berlin" or "UTC"';
  // Offsets such as +01:00 are time zones to JavaScript, and not to AWS.
  if (!/^[A-Za-z]/.test(timezone)) return unknown;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions();
    const sameButCase = timeZone !== timezone && timeZone.toLowerCase() === timezone.toLowerCase();
    return sameButCase ? `is spelt "${timeZone}"; write that` : undefined;
  } catch {
    return unknown;
  }
}
