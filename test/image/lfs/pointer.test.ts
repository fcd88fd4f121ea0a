import { expect, test } from "bun:test";
import {
  fewestBytes,
  isLargeFileName,
  largeFileName,
  mostBytes,
  parsePointer,
} from "../../../image/lfs/pointer.ts";

const oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 12345\n`;

test.each([
  ["of the specification", pointer],
  ["of the version's former name", pointer.replace("git-lfs.github", "hawser.github")],
  ["of its first name", pointer.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2")],
  ["with an extension", pointer.replace("oid", `ext-0-foo sha256:${"1".repeat(64)}\noid`)],
  ["with the ends of lines of Windows", pointer.replaceAll("\n", "\r\n")],
  ["without the end of the last line", pointer.trimEnd()],
])("a pointer %s is one", (_, content) => {
  expect(parsePointer(content)).toEqual({ oid, bytes: 12_345 });
  expect(content.length).toBeGreaterThan(fewestBytes);
  expect(content.length).toBeLessThan(mostBytes);
});

test.each([
  ["another text", "version 1\n"],
  ["text before", `# ${pointer}`],
  ["text behind", `${pointer}more\n`],
  ["another hash", pointer.replace("sha256", "sha512")],
  ["a short hash", pointer.replace("4d7a", "")],
  ["capitals", pointer.replace("4d7a", "4D7A")],
  ["no size", pointer.replace("12345", "")],
  ["a negative size", pointer.replace("12345", "-1")],
  ["an empty file, whose content everybody has", pointer.replace("12345", "0")],
  ["a size that no file has", pointer.replace("12345", "9".repeat(20))],
])("%s is no pointer", (_, content) => expect(parsePointer(content)).toBeUndefined());

test("the name of a large file is where git-lfs looks for it", () => {
  const name = `lfs/objects/4d/7a/${oid}`;
  expect(largeFileName({ oid })).toBe(name);
  expect(isLargeFileName(name)).toBe(true);
  for (const other of [
    oid,
    `x${name}`,
    name.replace("/7a/", "/7b/"),
    `${name}/x`,
    name.replace("lfs", "../lfs"),
  ])
    expect(isLargeFileName(other)).toBe(false);
});
