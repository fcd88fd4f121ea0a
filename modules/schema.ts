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

// Keys under which somebody may have written what must not be repeated in a log.
const SECRET = /credential|password|secret|token/i;

/** Every mistake in a value as a line: which property, what it is, which rule it breaks, what to write instead. */
export function lines(root: string, value: unknown, error: z.ZodError): string[] {
  return error.issues.flatMap((issue) => {
    const paths =
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    const message =
      issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return paths.map((path) => {
      const kept = SECRET.test(String(path.at(-1))) && issue.code !== "custom";
      return `${name(root, path)} ${kept ? "(not shown)" : shown(path.reduce(member, value))} ${message}`;
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

/** A value as it stands in the file, without the password that a URL may carry. */
function shown(value: unknown): string {
  if (value === undefined) return "(missing)";
  const json = JSON.stringify(value).replace(/\/\/[^/@"]*@/g, "//***@");
  return `= ${json.length > 120 ? `${json.slice(0, 117)}...` : json}`;
}
