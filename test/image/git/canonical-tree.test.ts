import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { modeReader } from "../../../image/git/canonical-tree.ts";

test.each([1, 2, 3, 7, 20, 1_000])("reads a tree's modes in chunks of %d bytes", (size) => {
  const modes = ["100644", "40000", "100664", "160000", "040000", "120000"];
  // An id may contain every byte, also those that separate the parts of an entry.
  const id = () => Buffer.concat([Buffer.from(" \0 1"), randomBytes(16)]);
  const entries = modes.map((mode, index) => Buffer.concat([Buffer.from(`${mode} file ${index}\0`), id()]));
  const tree = Buffer.concat(entries);
  const read: string[] = [];
  const take = modeReader((mode) => read.push(mode));
  for (let at = 0; at < tree.length; at += size) take(tree.subarray(at, at + size));
  expect(read).toEqual(modes);
});
