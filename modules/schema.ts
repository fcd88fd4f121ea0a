import { z } from "zod";

/** A string that matches a pattern. The message states the rule, then what to write. */
export function text(pattern: RegExp, message: string) {
  return z.string(message).regex(pattern, message);
}

/** A string that a function checks: it returns what is wrong and what to write, or undefined. */
export function checked(validate: (value: string) => string | undefined) {
  return z.string("is not text; write it in quotes").superRefine((value, context) => {
    const message = validate(value);
    if (message) context.addIssue({ code: "custom", message });
  });
}

/** A whole number of something in a range. */
export function wholeNumber(least: number, most: number, unit: string, example: number) {
  const message = `is not a whole number of ${unit} from ${least} to ${most}; use ${example}`;
  return z.int(message).min(least, message).max(most, message);
}

/** An object with these keys and no others. */
export function object<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === "unrecognized_keys"
        ? `is not a known key; remove it, or use one of ${Object.keys(shape).join(", ")}`
        : `is not an object; write { } around ${Object.keys(shape).join(", ")}`,
  });
}

/** Formats every problem of a value as one line: the property, its value, the rule, and what to write. */
export function formatProblems(root: string, value: unknown, error: z.ZodError): string[] {
  return error.issues.flatMap((issue) => {
    const paths =
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    const message =
      issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return paths.map((path) => {
      // The value of an unknown key may be a secret, which must not appear in a log.
      const hidden = issue.code === "unrecognized_keys";
      const printed = hidden ? "(not shown)" : printValue(path, path.reduce(getMember, value));
      return `${printPath(root, path)} ${printed} ${message}`;
    });
  });
}

function printPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => text + (typeof key === "number" ? `[${key}]` : `.${String(key)}`),
    root,
  );
}

function getMember(value: unknown, key: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown> | undefined)?.[key];
}

/** Prints a value as it is in the file, except for what may be a secret: credentials, parts of URLs, nested values. */
function printValue(path: readonly PropertyKey[], value: unknown): string {
  const key = path.at(-1);
  if (value === undefined) return "(missing)";
  if (key === "credentials" && !["host", "repository"].includes(String(value))) return "(not shown)";
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    return Array.isArray(value) ? "= [...]" : "= {...}";
  }
  let json = JSON.stringify(value).replace(/^("(?:[a-z][a-z0-9+.-]*:[\\/]*)?).*@/i, "$1***@");
  if (key === "url") json = json.replace(/[?#].*(?=")/, "?***");
  return `= ${json.length > 120 ? `${json.slice(0, 117)}...` : json}`;
}
