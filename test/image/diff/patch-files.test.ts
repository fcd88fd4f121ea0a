import { expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPatchFiles } from "../../../image/diff/patch-files.ts";

type Sections = [kind: "removals" | "others" | undefined, ...pieces: string[]][];

/** What the files hold, when each may have ten bytes and three wait in memory. */
async function written(sections: Sections): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "patches-"));
  try {
    let paths: string[] = [];
    // The second time over the files of the first.
    for (let turn = 0; turn < 2; turn++) {
      const patches = openPatchFiles(folder, 10, 3);
      for (const [kind, ...pieces] of sections) {
        await patches.select(kind);
        for (const piece of pieces) await patches.write(Buffer.from(piece));
      }
      paths = await patches.end();
    }
    return await Promise.all(paths.map((path) => readFile(path, "utf8")));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const cases: [name: string, sections: Sections, files: string[]][] = [
  ["nothing", [], []],
  ["nothing to apply", [[undefined, "binary"]], []],
  [
    "small sections share a file",
    [
      ["others", "a", "b"],
      ["others", "c"],
    ],
    ["abc"],
  ],
  [
    "what is passed over is in none",
    [
      ["others", "a"],
      [undefined, "x"],
      ["others", "b"],
    ],
    ["ab"],
  ],
  [
    "removals go first",
    [
      ["others", "a"],
      ["removals", "r"],
      ["others", "b"],
      ["removals", "s"],
    ],
    ["rs", "ab"],
  ],
  [
    "a section is never cut in two",
    [
      ["others", "123456", "789012", "3456"],
      ["others", "a"],
    ],
    ["1234567890123456", "a"],
  ],
  [
    "a full file is closed",
    [
      ["others", "12345"],
      ["others", "67890"],
      ["others", "a"],
    ],
    ["1234567890", "a"],
  ],
];
test.each(cases)("%s", async (_, sections, files) => {
  expect(await written(sections)).toEqual(files);
});
