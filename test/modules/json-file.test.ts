import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJson } from "../../modules/json-file.ts";

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
  ['{\n  "a": 1\n  "b": 2\n}', "line 3, column 3: a comma is missing before this; write it"],
  ['{\n  "a": [1, 2],\n}', "line 3, column 1: a key is expected; write"],
  ["[1,\n2,\n]", "line 3, column 1: a value is expected; write one, and no comma behind the last one"],
  ['{\n  // why\n  "a": 1\n}', "line 2, column 3: JSON has no comments; remove it"],
  ["{ 'a': 1 }", 'line 1, column 3: not JSON; write keys and texts in double quotes (")'],
  ['{ "a": “x” }', "line 1, column 8: not JSON; write keys and texts in double quotes"],
  ['{ "a" 1 }', "line 1, column 7: a colon is missing after a key; write"],
  ['{ "a": True }', "line 1, column 8: not JSON; write keys and texts in double quotes"],
  ['{ "a": }', "line 1, column 8: a value is expected; write"],
  ['{\n  "a": "x\n}', "line 2, column 8: a text that does not end on its line"],
  ['{ "a": "C:\\data" }', "line 1, column 8: not a letter that JSON allows after"],
  ['{\n  "a": {\n', "line 3, column 1: a comma or } is missing before this; write it"],
  ['{ "a": 1 }\n}', "line 2, column 1: the file should end here; remove the rest"],
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
