import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readContext } from "../../modules/context.ts";

const folder = mkdtempSync(join(tmpdir(), "git-diff-context-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(file: unknown): Record<string, unknown> {
  const path = join(folder, "cdktf.json");
  writeFileSync(path, JSON.stringify(file));
  return readContext(path);
}

test("returns the whole context", () => {
  const context = { gitDiff: { region: "eu-west-1" }, other: 1 };
  expect(read({ app: "x", context })).toEqual(context);
});

test.each([
  [{ context: { gitdiff: {} } }, "rename context.gitdiff to gitDiff"],
  [{ context: { "git-diff": {} } }, "rename context.git-diff to gitDiff"],
  [{ context: { gitDif: {} } }, "rename context.gitDif to gitDiff"],
  [{ context: { gitDiffs: {} } }, "rename context.gitDiffs to gitDiff"],
  [{ context: { gtiDiff: {}, other: 1 } }, "rename context.gtiDiff to gitDiff"],
  [{ context: { region: "eu-west-1" } }, 'write "gitDiff": { } around the keys of context'],
  [{ gitDiff: {} }, 'move "gitDiff" into "context": { }, and call it "gitDiff"'],
  [{ context: {}, git_diff: {} }, 'move "git_diff" into "context": { }, and call it "gitDiff"'],
  [{ context: { other: {} } }, 'write "context": { "gitDiff": { "region": "eu-west-1",'],
  [{}, 'write "context": { "gitDiff": {'],
  [[], 'write "context": { "gitDiff": {'],
])("gitDiff is missing in %j", (file, remedy) => {
  expect(() => read(file)).toThrow(`cdktf.json: context.gitDiff (missing) is required; ${remedy}`);
});
