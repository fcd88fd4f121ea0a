import type { z } from "zod";

/**
 * Returns what a schema makes of a value without the parts that have a problem, or undefined if too little is left.
 * So sizes can be checked although other things are wrong.
 */
export function parseValidPart<T>(schema: z.ZodType<T>, value: Record<string, unknown>): T | undefined {
  let rest: unknown = structuredClone(value);
  for (;;) {
    const { data, error } = schema.safeParse(rest);
    if (data !== undefined) return data;
    const paths = (error?.issues ?? []).flatMap((issue) =>
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path],
    );
    // What is missing is missing in something, which goes instead.
    const removed = paths.map((path) => (path.reduce(member, rest) === undefined ? path.slice(0, -1) : path));
    if (removed.some((path) => path.length === 0)) return undefined;
    for (const path of removed) {
      const parent = path.slice(0, -1).reduce(member, rest);
      if (typeof parent === "object" && parent !== null) Reflect.deleteProperty(parent, path.at(-1) ?? "");
    }
    rest = withoutHoles(rest);
  }
}

function member(value: unknown, key: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
}

/** An element that was deleted leaves a hole, so that the indexes of the others stay valid until all are deleted. */
function withoutHoles(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter(() => true).map(withoutHoles);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutHoles(each)]));
}
