import { expect, test } from "bun:test";
import { type Section, streamSections } from "../../../image/diff/sections.ts";

const [first, second, none] = ["1".repeat(40), "2".repeat(40), "0".repeat(40)];

/** One section of each kind, with the facts in its header. */
const parts: [diff: string, section: Section][] = [
  [
    `diff --git a/a b c b/a b c\nindex ${first}..${second} 100644\n--- a/a b c\t\n+++ b/a b c\t\n@@ -1 +1,2 @@\n-old\n+diff --git a/x b/x\n+Binary files differ\n\\ No newline at end of file\n`,
    {
      before: "a b c",
      after: "a b c",
      mode: "100644",
      modeBefore: "100644",
      similarity: undefined,
      ids: { before: first, after: second },
      omitted: false,
    },
  ],
  [
    `diff --git "a/\\"q\\"\\n\\377\\\\" "b/\\"q\\"\\n\\377\\\\"\nnew file mode 120000\nindex ${none}..${second}\n--- /dev/null\n+++ "b/\\"q\\"\\n\\377\\\\"\n@@ -0,0 +1 @@\n+x\n`,
    {
      before: undefined,
      after: '"q"\n\xff\\',
      mode: "120000",
      modeBefore: undefined,
      similarity: undefined,
      ids: { before: none, after: second },
      omitted: false,
    },
  ],
  [
    `diff --git a/gone b/gone\ndeleted file mode 100755\nindex ${first}..${none}\nBinary files a/gone and /dev/null differ\n`,
    {
      before: "gone",
      after: undefined,
      mode: "100755",
      modeBefore: "100755",
      similarity: undefined,
      ids: { before: first, after: none },
      omitted: true,
    },
  ],
  [
    'diff --git "a/\\tfrom" b/to b/to\nold mode 100644\nnew mode 100755\nsimilarity index 100%\nrename from "\\tfrom"\nrename to to b/to\n',
    {
      before: "\tfrom",
      after: "to b/to",
      mode: "100755",
      modeBefore: "100644",
      similarity: 100,
      ids: undefined,
      omitted: false,
    },
  ],
  [
    `diff --git a/b b/b\nindex ${first}..${second} 100644\nGIT binary patch\ndelta 9\nQcmZQzWMT#Y01f~L\n\nliteral 3\nKcmZ?w{9gb7\n\n`,
    {
      before: "b",
      after: "b",
      mode: "100644",
      modeBefore: "100644",
      similarity: undefined,
      ids: { before: first, after: second },
      omitted: false,
    },
  ],
];
const whole = Buffer.from(parts.map(([diff]) => diff).join(""), "latin1");

test.each([1, 2, 7, 100, whole.length])("a diff in chunks of %d bytes", async (size) => {
  const chunks = async function* () {
    for (let start = 0; start < whole.length; start += size) yield whole.subarray(start, start + size);
  };
  const read: [bytes: string, section: Section][] = [];
  for await (const piece of streamSections(chunks())) {
    const last = read.at(-1);
    if (!(piece instanceof Uint8Array)) read.push(["", piece]);
    else if (last) last[0] += Buffer.from(piece).toString("latin1");
  }
  expect(read).toEqual(parts);
});
