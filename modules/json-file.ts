import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { ConfigurationError } from "./configuration-error.ts";

/** Reads a JSON file. Throws a ConfigurationError with the line and column of the first mistake, and how to correct it. */
export function readJson(path: string): unknown {
  const file = basename(path);
  let text: string;
  try {
    text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new ConfigurationError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const mistake = findMistake(text);
  if (!mistake) return JSON.parse(text);
  const before = text.slice(0, mistake.offset).split("\n");
  throw new ConfigurationError(
    `${file}, line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${mistake.message}`,
  );
}

interface Mistake {
  readonly offset: number;
  readonly message: string;
}

const blanks = /[ \t\r\n]*/y;
// A text, a number or a word, or a sign: https://www.rfc-editor.org/rfc/rfc8259
const token =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them
  /("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*")|((?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-]))|[[\]{}:,]/y;

const keyExpected = 'a key in double quotes is expected; write "key": value';

/** What the grammar expects next: a key, a colon, a value, or the comma or bracket that follows a value. */
type Expected = "key" | "colon" | "value" | "next";

/**
 * Returns the first mistake in a JSON text, a key that is twice in one object included. JSON.parse of Bun names no line.
 * The message repeats nothing of the text, which may be a secret, but signs and keys.
 */
export function findMistake(text: string): Mistake | undefined {
  const open: { readonly sign: "{" | "["; readonly offset: number; readonly keys: Set<string> }[] = [];
  let expected: Expected = "value";
  let [end, previous] = [0, ""];
  for (;;) {
    const offset = end + match(blanks, text, end).length;
    const found = match(token, text, offset);
    const inside = open.at(-1);
    const wrong = (message: string): Mistake => ({ offset, message });
    if (expected === "next" && !inside) {
      return offset < text.length ? wrong("the file should end here; remove the rest") : undefined;
    }
    if (found === "")
      return wrong(explain(text.slice(offset, offset + 2), expected, inside && lineOf(text, inside.offset)));
    const isValue = /^["\w-]/.test(found);
    const closes = found === (inside?.sign === "{" ? "}" : "]");
    if (closes && previous === ",") {
      return { offset: end - 1, message: "a comma before a closing bracket; remove the comma" };
    }
    if (inside && closes && (expected === "next" || previous === inside.sign)) {
      open.pop();
      expected = "next";
    } else if (expected === "next") {
      if (found !== "," && (isValue || /[{[]/.test(found))) {
        return { offset: end, message: "a comma is missing between two values; write it here" };
      }
      if (found !== ",")
        return wrong(
          `"${found}" is not expected; write a comma or close the bracket of line ${lineOf(text, inside?.offset ?? 0)}`,
        );
      expected = inside?.sign === "{" ? "key" : "value";
    } else if (expected === "colon") {
      if (found !== ":")
        return { offset: end, message: 'a colon is missing after a key; write "key": value' };
      expected = "value";
    } else if (expected === "key") {
      if (!found.startsWith('"')) return wrong(keyExpected);
      const key: string = JSON.parse(found);
      if (inside?.keys.has(key)) return wrong(`the key "${key}" is twice in one object; keep one of the two`);
      inside?.keys.add(key);
      expected = "colon";
    } else if (found === "{" || found === "[") {
      open.push({ sign: found, offset, keys: new Set() });
      expected = found === "{" ? "key" : "value";
    } else if (isValue) {
      expected = "next";
    } else {
      return wrong(
        `a value is expected, not "${found}"; write a text in double quotes, a number, true or false`,
      );
    }
    [end, previous] = [offset + found.length, found];
  }
}

/** Explains a text that begins with no token of JSON. */
function explain(rest: string, expected: Expected, openedAt: number | undefined): string {
  if (rest === "") {
    return openedAt === undefined
      ? "the file is empty; write { }"
      : `the file ends, but the bracket of line ${openedAt} is open; close it`;
  }
  if (rest.startsWith('"')) {
    return 'a text that does not end on its line, or contains a tab or a lone "\\"; end it with a double quote, and write "\\\\" for "\\"';
  }
  if (/^['`‘’“”„«]/.test(rest)) return 'not the quote that JSON requires; write "';
  if (/^(\/[/*]|#)/.test(rest)) return "JSON has no comments; remove it";
  if (/^(<<|==|>>)/.test(rest)) return "a conflict that git left; resolve it";
  return expected === "key"
    ? keyExpected
    : "not a value of JSON; write a text in double quotes, a number such as 1024, true or false";
}

function match(pattern: RegExp, text: string, offset: number): string {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0] ?? "";
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
