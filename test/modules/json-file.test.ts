import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMistake, readJson } from "../../modules/json-file.ts";

const folder = mkdtempSync(join(tmpdir(), "git-diff-json-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function errorMessage(text: string): string {
  const path = join(folder, "cdktf.json");
  writeFileSync(path, text);
  try {
    readJson(path);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`This should be invalid: ${text}`);
}

test.each([
  ['{\n  "a": 1\n  "b": 2\n}', "line 2, column 9: a comma is missing between two values; write it here"],
  ['{\n  "a": [1, 2],\n}', "line 2, column 14: a comma before a closing bracket; remove the comma"],
  ["[1,\n2,\n]", "line 2, column 2: a comma before a closing bracket; remove the comma"],
  ['{\n  // why\n  "a": 1\n}', "line 2, column 3: JSON has no comments; remove it"],
  ['{ "a": 1 # why\n}', "line 1, column 10: JSON has no comments; remove it"],
  ["{ 'a': 1 }", 'line 1, column 3: not the quote that JSON requires; write "'],
  ['{ "a": “x” }', 'line 1, column 8: not the quote that JSON requires; write "'],
  ["{ a: 1 }", 'line 1, column 3: a key in double quotes is expected; write "key": value'],
  ["{ 1: 1 }", 'line 1, column 3: a key in double quotes is expected; write "key": value'],
  ['{ "a" 1 }', 'line 1, column 6: a colon is missing after a key; write "key": value'],
  ['{ "a": eu-west-1 }', "line 1, column 8: not a value of JSON; write a text in double quotes, a number"],
  ['{ "a": 01 }', "line 1, column 8: not a value of JSON; write"],
  ['{ "a": True }', "line 1, column 8: not a value of JSON; write"],
  ['{ "a": }', 'line 1, column 8: a value is expected, not "}"; write'],
  ["[1,,2]", 'line 1, column 4: a value is expected, not ","; write'],
  ['{\n  "a": "x\n}', "line 2, column 8: a text that does not end on its line, or contains a tab or a lone"],
  [
    '{ "a": "C:\\data" }',
    "line 1, column 8: a text that does not end on its line, or contains a tab or a lone",
  ],
  [
    '{\n  "a": [\n    1\n}',
    'line 4, column 1: "}" is not expected; write a comma or close the bracket of line 2',
  ],
  ['{\n  "a": {\n', "line 3, column 1: the file ends, but the bracket of line 2 is open; close it"],
  ['{ "a": 1 }\n}', "line 2, column 1: the file should end here; remove the rest"],
  ["", "line 1, column 1: the file is empty; write { }"],
  ['<<<<<<< HEAD\n{ "a": 1 }', "line 1, column 1: a conflict that git left; resolve it"],
  [
    '{ "a": 1,\n  "b": { "a": 2 },\n  "a": 3 }',
    'line 3, column 3: the key "a" is twice in one object; keep one',
  ],
])("the mistake in %j", (text, message) => {
  expect(errorMessage(text)).toStartWith(`cdktf.json, ${message}`);
});

test("no message repeats a text of the file, which may be a secret", () => {
  for (const text of [
    '{ "a": "hunter2',
    '{ "a" "hunter2" }',
    "{ hunter2",
    '["hunter2" "hunter2"]',
    "1 hunter2",
  ]) {
    expect(errorMessage(text)).not.toContain("hunter");
  }
});

test("a byte order mark, which Windows writes, is no mistake", () => {
  writeFileSync(join(folder, "bom.json"), '\uFEFF{ "a": 1 }');
  expect(readJson(join(folder, "bom.json"))).toEqual({ a: 1 });
});

test("a file that is not there is named", () => {
  expect(() => readJson(join(folder, "none.json"))).toThrow("none.json cannot be read (ENOENT)");
});

test("finds a mistake exactly where JSON.parse fails", () => {
  const valid = '{"a": [1, -2.5e+3, {}, [], {"b": "x\\u00e9\\n\\"", "c": null}], "d": true, "e": {"f": 0}}';
  expect(findMistake(valid)).toBeUndefined();
  const signs = ["", "{", "}", "[", "]", ",", ":", '"', "\\", "0", "-", ".", "e", "x", " ", "\n", "\t"];
  let found = 0;
  for (let at = 0; at <= valid.length; at++) {
    for (const sign of signs) {
      for (const removed of [0, 1]) {
        const text = valid.slice(0, at) + sign + valid.slice(at + removed);
        const mistake = findMistake(text);
        if (mistake?.message.includes("twice")) continue;
        if (mistake) found++;
        const parse = () => JSON.parse(text);
        if (mistake) expect(parse, text).toThrow();
        else expect(parse, text).not.toThrow();
      }
    }
  }
  expect(found).toBeGreaterThan(1000);
});
