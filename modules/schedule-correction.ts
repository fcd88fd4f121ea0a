const macros: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * ? *",
  "@daily": "0 0 * * ? *",
  "@midnight": "0 0 * * ? *",
  "@weekly": "0 0 ? * SUN *",
  "@monthly": "0 0 1 * ? *",
  "@yearly": "0 0 1 JAN ? *",
  "@annually": "0 0 1 JAN ? *",
};
const days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/**
 * Returns what a wrong schedule expression most likely means, in the form of AWS, or undefined. It may be wrong too. Knows
 * blanks, small letters and full names, and the forms of cron on Unix (five fields) and of Quartz (seconds first).
 */
export function correctExpression(expression: string): string | undefined {
  const text = expression.trim().replace(/\s+/g, " ");
  const macro = macros[text.toLowerCase()];
  if (macro) return `cron(${macro})`;
  const [, kind, inside] = /^(cron|rate) ?\( ?(.*?) ?\)$/i.exec(text) ?? [];
  const body = inside ?? text;
  const [, count, unit = ""] = /^(\d+) ?(min|minute|hour|h|day|d|week|w)s?$/i.exec(body) ?? [];
  if (count && kind?.toLowerCase() !== "cron") return rate(Number(count), unit.toLowerCase());
  const fields = body.toUpperCase().split(" ");
  return fields.length >= 5 && fields.length <= 7 ? cron(fields) : undefined;
}

function rate(count: number, unit: string): string {
  if (unit.startsWith("w")) return `rate(${count * 7} days)`;
  const word = unit.startsWith("m") ? "minute" : unit.startsWith("h") ? "hour" : "day";
  return `rate(${count} ${word}${count === 1 ? "" : "s"})`;
}

function cron(fields: readonly string[]): string | undefined {
  const quartz = fields[0] === "0" && (fields.length === 7 || fields[5] === "?");
  const [minutes, hours, dayOfMonth = "", month = "", weekDay = "", year = "*"] = quartz
    ? fields.slice(1)
    : fields;
  const dayOfWeek = fields.length === 5 ? namedDays(weekDay) : weekDay;
  const dates = questionMarks(dayOfMonth, dayOfWeek);
  if (!dates) return undefined;
  const corrected = [minutes, hours, dates[0], month, dates[1], year].join(" ");
  return `cron(${corrected.replace(/[A-Z]{4,}/g, (name) => name.slice(0, 3))})`;
}

/** Names the days of Unix, where Sunday is 0 and 7. In AWS it is 1. */
function namedDays(field: string): string {
  return field.replace(/(?<![/#\d])[0-7](?!\d)/g, (digit) => days[Number(digit)] ?? digit);
}

/** Replaces the `*` that AWS does not accept. Returns undefined for two restrictions, which AWS cannot combine. */
function questionMarks(dayOfMonth: string, dayOfWeek: string): readonly [string, string] | undefined {
  if ((dayOfMonth === "?") !== (dayOfWeek === "?")) return [dayOfMonth, dayOfWeek];
  if (/^[*?]$/.test(dayOfWeek)) return [dayOfMonth.replace("?", "*"), "?"];
  return /^[*?]$/.test(dayOfMonth) ? ["?", dayOfWeek] : undefined;
}
