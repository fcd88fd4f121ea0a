import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { countDiff, type DiffStatistics } from "../../../image/diff/statistics.ts";
import { LimitError } from "../../../image/lib/errors.ts";

type Counts = Pick<DiffStatistics, "files" | "binaryFiles" | "linesAdded" | "linesRemoved">;

async function* each(chunks: readonly Uint8Array[]) {
  yield* chunks;
}

async function counted(chunks: readonly Uint8Array[], maxBytes = Number.POSITIVE_INFINITY) {
  const diff = countDiff(each(chunks), maxBytes);
  const passed = await Array.fromAsync(diff.bytes);
  return { contents: diff.statistics(), passed: Buffer.concat(passed).toString("latin1") };
}

const bytes = (text: string) => Buffer.from(text, "latin1");

/** The header of one file, and its hunks. */
const file = (...hunks: string[]) =>
  `diff --git a/x b/x\nindex 1111111..2222222 100644\n--- a/x\n+++ b/x\n${hunks.join("")}`;

const diffs: [name: string, diff: string, counts: Counts][] = [
  ["nothing", "", { files: 0, binaryFiles: 0, linesAdded: 0, linesRemoved: 0 }],
  [
    "a change in its surroundings",
    file("@@ -1,3 +1,4 @@ heading\n before\n-old\n+new\n+more\n after\n"),
    { files: 1, binaryFiles: 0, linesAdded: 2, linesRemoved: 1 },
  ],
  [
    "ranges without a length",
    file("@@ -1 +1 @@\n-old\n+new\n"),
    { files: 1, binaryFiles: 0, linesAdded: 1, linesRemoved: 1 },
  ],
  ["a new file", file("@@ -0,0 +1 @@\n+new\n"), { files: 1, binaryFiles: 0, linesAdded: 1, linesRemoved: 0 }],
  [
    "a deleted file, and another one after it",
    file("@@ -1,2 +0,0 @@\n-one\n-two\n") + file("@@ -0,0 +1,2 @@\n+one\n+two\n").replaceAll("/x", "/y"),
    { files: 2, binaryFiles: 0, linesAdded: 2, linesRemoved: 2 },
  ],
  [
    "several hunks",
    file("@@ -1 +1,2 @@\n one\n+two\n", "@@ -9,2 +10 @@ heading\n nine\n-ten\n"),
    { files: 1, binaryFiles: 0, linesAdded: 1, linesRemoved: 1 },
  ],
  [
    "no newline at the end, before and after",
    file(
      "@@ -1 +1 @@\n-old\n\\ No newline at end of file\n+new\n\\ No newline at end of file\n",
      "@@ -5 +4,0 @@\n-five\n",
    ),
    { files: 1, binaryFiles: 0, linesAdded: 1, linesRemoved: 2 },
  ],
  [
    "files that are binary, renamed, of another mode, empty",
    "diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n" +
      "diff --git a/old b/new\nsimilarity index 100%\nrename from old\nrename to new\n" +
      "diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n" +
      "diff --git a/empty b/empty\nnew file mode 100644\nindex 0..e\n",
    { files: 4, binaryFiles: 1, linesAdded: 0, linesRemoved: 0 },
  ],
  [
    "a file that becomes a link, in two sections",
    "diff --git a/x b/x\ndeleted file mode 100644\nindex 1..0\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n" +
      "diff --git a/x b/x\nnew file mode 120000\nindex 0..2\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+two\n",
    { files: 1, binaryFiles: 0, linesAdded: 1, linesRemoved: 1 },
  ],
  [
    "content that looks like headers",
    file(
      "@@ -1,3 +1,4 @@\n---- a/x\n-@@ -1,9 +1,9 @@\n-diff --git a/x b/x\n++++ b/x\n+@@ -7,7 +7,7 @@\n" +
        "+Binary files a/x and b/x differ\n+diff --git a/x b/x\n",
    ) +
      file("@@ -1 +1 @@\n-diff --git a/x b/x\n+Binary files a/x and b/x differ\n").replace(
        "a/x b/x",
        "a/y b/y",
      ),
    { files: 2, binaryFiles: 0, linesAdded: 5, linesRemoved: 4 },
  ],
  [
    "content with empty lines, carriage returns, NUL and bytes that are no UTF-8",
    file("@@ -1,3 +1,3 @@\n \n-\r\n-\0\xff\xfe\n+\n+\xe9\r\n"),
    { files: 1, binaryFiles: 0, linesAdded: 2, linesRemoved: 2 },
  ],
];

describe("a diff is counted, and passed on as it is,", () => {
  test.each(diffs)("with %s", async (_, diff, counts) => {
    const { contents, passed } = await counted([bytes(diff)]);
    const sha256 = createHash("sha256").update(bytes(diff)).digest("hex");
    expect(contents).toEqual({ bytes: diff.length, sha256, ...counts });
    expect(passed).toBe(diff);
  });

  test.each(diffs)("wherever it is cut in two, with %s", async (_, diff, counts) => {
    for (let at = 0; at <= diff.length; at++) {
      const { contents } = await counted([bytes(diff.slice(0, at)), bytes(diff.slice(at))]);
      expect({ at, ...contents }).toMatchObject({ at, bytes: diff.length, ...counts });
    }
  });

  test.each(diffs)("byte by byte, with %s", async (_, diff, counts) => {
    const { contents, passed } = await counted([...diff].map(bytes));
    expect(contents).toMatchObject(counts);
    expect(passed).toBe(diff);
  });
});

test("a diff of just the largest size passes", async () => {
  const { contents } = await counted([bytes("12345"), bytes("67890")], 10);
  expect(contents.bytes).toBe(10);
});

test("a larger one breaks off before the byte that is too much is passed on", async () => {
  const diff = countDiff(each([bytes("12345"), bytes("678901"), bytes("never")]), 10);
  const limited = diff.bytes;
  expect((await limited.next()).value).toEqual(bytes("12345"));
  const error = await limited.next().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(LimitError);
  expect(error).toMatchObject({ code: "diff-too-large" });
  expect((error as Error).message).toContain("10 bytes");
  expect(diff.statistics().sha256).toBe("");
});
