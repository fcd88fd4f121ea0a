import { z } from "zod";

/** Text of one form. The rule says what is wrong, then what to write instead. */
export function text(form: RegExp, rule: string) {
  return z.string(rule).regex(form, rule);
}

/** Text that a function finds fault with: it returns the rule that is broken, or undefined. */
export function checked(mistake: (value: string) => string | undefined) {
  return z.string("is not text; write it in quotes").superRefine((value, context) => {
    const message = mistake(value);
    if (message) context.addIssue({ code: "custom", message });
  });
}

/** An object with these keys and no others. */
export function object<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === "unrecognized_keys"
        ? `is not known here; remove it, or write one of ${Object.keys(shape).join(", ")}`
        : `is not an object; write { } around ${Object.keys(shape).join(", ")}`,
  });
}

/** Every mistake in a value as a line: which property, what it is, which rule it breaks, what to write instead. */
export function lines(root: string, value: unknown, error: z.ZodError): string[] {
  return error.issues.flatMap((issue) => {
    const paths =
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    const message =
      issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return paths.map((path) => {
      // What somebody wrote under a name of their own may be what must not be repeated in a log.
      const kept = issue.code === "unrecognized_keys";
      return `${name(root, path)} ${kept ? "(not shown)" : shown(path, path.reduce(member, value))} ${message}`;
    });
  });
}

function name(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (all, key) => all + (typeof key === "number" ? `[${key}]` : `.${String(key)}`),
    root,
  );
}

function member(value: unknown, key: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown> | undefined)?.[key];
}

/** A value as it stands in the file, without what may be a secret: in a URL, in place of a word or deeper inside. */
function shown(path: readonly PropertyKey[], value: unknown): string {
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
