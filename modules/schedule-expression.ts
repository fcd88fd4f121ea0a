import { correctExpression } from "./schedule-correction.ts";

/** Checks a schedule expression. Returns what is wrong with it and what to write instead, or undefined if it is valid. */
export function validateExpression(expression: string): string | undefined {
  const problem = findProblem(expression);
  if (problem === undefined) return undefined;
  const corrected = correctExpression(expression);
  if (corrected && findProblem(corrected) === undefined) return `${problem}; use "${corrected}"`;
  return `${problem}; use "cron(0 0 * * ? *)" for every midnight, or "rate(12 hours)"`;
}

function findProblem(expression: string): string | undefined {
  const [, kind, body = ""] = /^(cron|rate)\((.*)\)$/.exec(expression) ?? [];
  if (kind === "rate") return findRateProblem(body);
  if (kind === "cron") return findCronProblem(body);
  return "is neither cron(...) nor rate(...)";
}

function findRateProblem(body: string): string | undefined {
  if (/^[1-9]\d{0,5} (minute|hour|day)s?$/.test(body)) return undefined;
  return "is not a whole number from 1 to 999999 and a unit of minutes, hours or days";
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names for the numbers from `min` upwards. */
  readonly names?: readonly string[];
  /** What the field accepts besides numbers, lists, ranges and steps. */
  readonly special?: RegExp;
}

// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const fields: readonly Field[] = [
  { name: "minutes", min: 0, max: 59 },
  { name: "hours", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31, special: /^(\?|L|LW|([1-9]|[12]\d|3[01])W)$/ },
  { name: "month", min: 1, max: 12, names: months },
  {
    name: "day of week",
    min: 1,
    max: 7,
    names: days,
    special: /^(\?|L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5]))$/,
  },
  { name: "year", min: 1970, max: 2199 },
];

function findCronProblem(body: string): string | undefined {
  const values = body.split(" ");
  if (values.length !== fields.length) {
    return `has ${values.length} fields; AWS requires six, with one blank between: minutes, hours, day of month, month, day of week, year`;
  }
  for (const [index, field] of fields.entries()) {
    const value = values[index] ?? "";
    if (!isValid(value, field)) {
      const names = field.names ? `, ${field.names[0]} to ${field.names.at(-1)}` : "";
      return `has "${value}" for ${field.name}, which is ${field.min} to ${field.max}${names}, or *`;
    }
  }
  if ((values[2] === "?") === (values[4] === "?")) {
    return "needs ? in exactly one of day of month and day of week";
  }
  return undefined;
}

function isValid(value: string, field: Field): boolean {
  return field.special?.test(value) || value.split(",").every((part) => isValidPart(part, field));
}

/** Accepts `*`, `5`, `MON-FRI`, and each of them with a step, such as `0/15`. */
function isValidPart(part: string, { min, max, names = [] }: Field): boolean {
  const [range = "", step, ...rest] = part.split("/");
  if (rest.length > 0 || (step !== undefined && !(/^\d+$/.test(step) && Number(step) > 0))) return false;
  if (range === "*") return true;
  const ends = range
    .split("-")
    .map((end) =>
      names.includes(end) ? names.indexOf(end) + min : /^\d{1,4}$/.test(end) ? Number(end) : -1,
    );
  return ends.length <= 2 && ends.every((end) => end >= min && end <= max);
}

/** Checks the name of a time zone. Returns what is wrong with it and what to write instead, or undefined if it is valid. */
export function validateTimezone(timezone: string): string | undefined {
  const place = timezone.replaceAll(" ", "_").toLowerCase();
  const meant = Intl.supportedValuesOf("timeZone").find((name) => name.toLowerCase().endsWith(`/${place}`));
  const unknown = `is not a time zone that AWS supports; use ${
    meant ? `"${meant}"` : 'a name from the IANA list, such as "Europe/Berlin" or "UTC"'
  }`;
  // JavaScript accepts offsets such as +01:00 as time zones. AWS does not.
  if (!/^[A-Za-z]/.test(timezone)) return unknown;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions();
    const differsInCase = timeZone !== timezone && timeZone.toLowerCase() === timezone.toLowerCase();
    return differsInCase ? `must be written "${timeZone}"` : undefined;
  } catch {
    return unknown;
  }
}
