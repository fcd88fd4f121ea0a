import { expect, test } from "bun:test";
import { importsOf } from "./fixtures/imports.ts";

/** The rooms of image/, from top to bottom. A file imports from its own room and from lower levels. */
const levels = [
  ["main.ts", "build.ts"],
  ["commands"],
  ["output"],
  ["run", "transfer"],
  ["collect", "verify", "report"],
  ["mirror", "tables"],
  ["config", "chain", "fetch", "lfs", "diff"],
  ["host"],
  ["git", "stores"],
  ["lib", "sources.ts"],
];

const imports = importsOf("image");
/** The room of a file: image/git/git.ts is in git, image/main.ts is a room of its own. */
const roomOf = (path: string) => path.split("/")[1] ?? "";
const levelOf = (path: string) => levels.findIndex((rooms) => rooms.includes(roomOf(path)));

test("every file of image/ is in a room", () => {
  expect(imports.length).toBeGreaterThan(100);
  const outside = imports.filter(({ from }) => levelOf(from) < 0 && !/^image\/\w+\.ts$/.test(from));
  expect(outside).toEqual([]);
});

test("imports of image/ lead downwards, or stay in their room", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (!to.startsWith("image/") || roomOf(from) === roomOf(to)) return false;
    return levelOf(to) <= levelOf(from);
  });
  expect(wrong).toEqual([]);
});

test("image/ imports nothing from outside but package.json", () => {
  const outside = imports.filter(({ to }) => !to.startsWith("image/"));
  expect(new Set(outside.map(({ to }) => to))).toEqual(new Set(["package.json"]));
});

test.each(["image", "modules"])("no import of %s/ leads back to where it began", (folder) => {
  const targets = Map.groupBy(importsOf(folder), ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path, file];
    if (done.has(file)) return undefined;
    for (const { to } of targets.get(file) ?? []) {
      const cycle = visit(to, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) expect(visit(file, [])).toBeUndefined();
});
