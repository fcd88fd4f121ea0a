import { z } from "zod";
import { duplicateIndexes } from "../image/lib/duplicates.ts";
import { similar } from "./similar.ts";

/** A string that matches a pattern. The message states the rule, then what to write. */
export function text(pattern: RegExp, message: string) {
  return z.string(message).regex(pattern, message);
}

/** A string that a function checks: it returns what is wrong and what to write, or undefined. */
export function checked(validate: (value: string) => string | undefined) {
  const error = ({ input }: { readonly input: unknown }) =>
    input === undefined || input === null ? validate("") : "is not text; write it in quotes";
  return z.string({ error }).superRefine((value, context) => {
    const message = validate(value);
    if (message) context.addIssue({ code: "custom", message });
  });
}

/** A whole number of something in a range. */
export function wholeNumber(least: number, most: number, unit: string, example: number) {
  const message = `is not a whole number of ${unit} from ${least} to ${most}; use ${example}`;
  return z.int(message).min(least, message).max(most, message);
}

/** A list in which nothing is twice. */
export function unique<Item extends z.ZodType>(list: z.ZodArray<Item>) {
  return list.superRefine((values, context) => {
    for (const index of duplicateIndexes(values)) {
      context.addIssue({ code: "custom", path: [index], message: "is there twice; remove one of the two" });
    }
  });
}

/** An object with these keys and no others. */
export function object<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      const known = Object.keys(shape);
      if (issue.code !== "unrecognized_keys") {
        return `is not an object; write { } around ${known.join(", ")}`;
      }
      // One line for each key. `formatProblems` separates them.
      return (issue.keys as string[]).map((key) => explainUnknown(key, known)).join("\n");
    },
  });
}

function explainUnknown(key: string, known: readonly string[]): string {
  const meant = similar(key, known);
  if (meant) return `is not a known key; write "${meant}"`;
  return `is not a known key; remove it, or use one of ${known.join(", ")}`;
}

/** Formats every problem of a value as one line: the property, its value, the rule, and what to write. */
export function formatProblems(root: string, value: unknown, error: z.ZodError): string[] {
  const lines = error.issues.flatMap((issue) => {
    // The value of an unknown key may be a secret, which must not appear in a log.
    if (issue.code === "unrecognized_keys") {
      const messages = issue.message.split("\n");
      return issue.keys.map(
        (key, index) => `${printPath(root, [...issue.path, key])} (not shown) ${messages[index]}`,
      );
    }
    const given = issue.path.reduce(getMember, value);
    return `${printPath(root, issue.path)} ${printValue(issue.path, given)} ${explain(issue, given)}`;
  });
  // A value of a wrong type may break two rules with one message.
  return [...new Set(lines)];
}

function explain(issue: z.core.$ZodIssue, given: unknown): string {
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  const quoted = typeof given === "string" && /^(-?\d+(\.\d+)?|true|false)$/.exec(given)?.[0];
  const isOther = issue.code === "invalid_type" || issue.code === "invalid_value";
  const wanted = quoted && isOther && isWanted(issue, JSON.parse(quoted));
  return wanted ? `is a text; remove the quotes: ${quoted}` : issue.message;
}

/** Returns whether a value has the type that was expected, or that of the values which were. */
function isWanted(
  issue: z.core.$ZodIssueInvalidType | z.core.$ZodIssueInvalidValue,
  value: unknown,
): boolean {
  return issue.code === "invalid_type"
    ? issue.expected === typeof value
    : issue.values.some((each) => typeof each === typeof value);
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
  let json = JSON.stringify(value).replace(/^("(?:[a-z][a-z0-9+.-]*:[\\/]*)?).+@/i, "$1***@");
  if (key === "url") json = json.replace(/[?#].*(?=")/, "?***");
  return `= ${json.length > 120 ? `${json.slice(0, 117)}...` : json}`;
}
