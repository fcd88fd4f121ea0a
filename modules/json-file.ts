import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { printParseErrorCode, visit } from "jsonc-parser";
import { ConfigurationError } from "./configuration-error.ts";

/** What to write, by jsonc-parser's name of the mistake. */
const remedies: Readonly<Record<string, string>> = {
  CloseBraceExpected: "a comma or } is missing before this; write it",
  CloseBracketExpected: "a comma or ] is missing before this; write it",
  ColonExpected: 'a colon is missing after a key; write "key": value',
  CommaExpected: "a comma is missing before this; write it",
  EndOfFileExpected: "the file should end here; remove the rest",
  InvalidCommentToken: "JSON has no comments; remove it",
  InvalidEscapeCharacter: 'not a letter that JSON allows after "\\"; write "\\\\" for "\\"',
  PropertyNameExpected: 'a key is expected; write "key": value, and no comma behind the last one',
  UnexpectedEndOfString: "a text that does not end on its line; end it with a double quote",
  ValueExpected: "a value is expected; write one, and no comma behind the last one",
};
const otherRemedy =
  'not JSON; write keys and texts in double quotes ("), and nothing else but numbers, true and false without them';

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

/** Finds the first mistake: JSON.parse of Bun names no line, and takes the last of two equal keys. */
function findMistake(text: string): { offset: number; message: string } | undefined {
  const mistakes: { offset: number; message: string }[] = [];
  const open: Set<string>[] = [];
  visit(
    text,
    {
      onError: (code, offset) =>
        mistakes.push({ offset, message: remedies[printParseErrorCode(code)] ?? otherRemedy }),
      onObjectBegin: () => void open.push(new Set()),
      onObjectEnd: () => void open.pop(),
      onObjectProperty: (key, offset) => {
        const message = `the key "${key}" is twice in one object; keep one of the two`;
        if (open.at(-1)?.has(key)) mistakes.push({ offset, message });
        open.at(-1)?.add(key);
      },
    },
    { disallowComments: true },
  );
  return mistakes.sort((a, b) => a.offset - b.offset)[0];
}
