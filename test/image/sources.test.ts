import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashSources } from "../../image/sources.ts";

describe("the hash of the image's sources", () => {
  const folder = mkdtempSync(join(tmpdir(), "git-diff-hash-"));
  const project = join(folder, "a");
  mkdirSync(join(project, "image/inner"), { recursive: true });
  writeFileSync(join(project, "package.json"), "{}");
  writeFileSync(join(project, "package-lock.json"), "{}");
  writeFileSync(join(project, "image/main.ts"), "main");
  writeFileSync(join(project, "image/inner/x.ts"), "x");
  const before = hashSources(project);
  /** Returns the hash of a changed copy. */
  const hashChanged = (change: (root: string) => void) => {
    const root = mkdtempSync(join(folder, "copy-"));
    cpSync(project, root, { recursive: true });
    change(root);
    return hashSources(root);
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("does not depend on the folder, nor on files beside the sources", () => {
    expect(hashChanged(() => {})).toBe(before);
    expect(hashChanged((root) => writeFileSync(join(root, "README.md"), "read me"))).toBe(before);
    expect(hashChanged((root) => writeFileSync(join(root, "image/.DS_Store"), "x"))).toBe(before);
  });

  test("changes with every byte and every name", () => {
    const hashes = [
      before,
      hashChanged((root) => writeFileSync(join(root, "image/main.ts"), "Main")),
      hashChanged((root) => writeFileSync(join(root, "package.json"), "{ }")),
      hashChanged((root) => writeFileSync(join(root, "package-lock.json"), "{ }")),
      hashChanged((root) => writeFileSync(join(root, "image/new.ts"), "")),
      hashChanged((root) => renameSync(join(root, "image/inner/x.ts"), join(root, "image/x.ts"))),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
