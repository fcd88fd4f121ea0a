import type { Repository } from "../helpers/repository.ts";

type Files = Record<string, string | Uint8Array | null>;
export interface Change {
  /** Names and contents, in latin1 where a string; null deletes. */
  before?: Files;
  after?: Files;
  /** Whatever is not just content. */
  prepare?: (repository: Repository) => Promise<void>;
  change?: (repository: Repository) => Promise<void>;
  /** What must be in the diff, in latin1: proof that the case is one. */
  shows: string;
}

const lines = (of: string, count = 20) =>
  Array.from({ length: count }, (_, each) => `${of} ${each}\n`).join("");
const python = (value: string) =>
  `class Outer:\n    def inner(self):\n        one\n        two\n        three\n        four\n        ${value}\n`;
const pointer = (digit: string) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${digit.repeat(64)}\nsize 12345\n`;
const attributes = "*.hidden -diff\n*.py diff=python\n*.lfs filter=lfs diff=lfs merge=lfs -text\n";
const modules = ["open", "closed"]
  .map((name) => `[submodule "${name}"]\n\tpath = ${name}\n\turl = ../x\n`)
  .join("");
const [first, second] = ["1".repeat(40), "2".repeat(40)];
const none = "0".repeat(40);
const bump = (path: string) =>
  `diff --git a/${path} b/${path}\nindex ${first}..${second} 160000\n--- a/${path}\n+++ b/${path}\n` +
  `@@ -1 +1 @@\n-Subproject commit ${first}\n+Subproject commit ${second}\n`;

export const changes: Record<string, Change> = {
  text: {
    before: { text: "old\n" },
    after: { text: "new\n" },
    shows: "+++ b/text\n@@ -1 +1 @@\n-old\n+new\n",
  },
  "a binary file": {
    before: { binary: Uint8Array.of(0, 1, 2) },
    after: { binary: Uint8Array.of(0, 3, 255) },
    shows: "\nBinary files a/binary and b/binary differ\n",
  },
  "a rename with an edit": {
    before: { "rename/old": lines("renamed") },
    after: { "rename/old": null, "rename/new": `${lines("renamed")}edited\n` },
    shows: "\nrename from rename/old\nrename to rename/new\n",
  },
  "a change of mode": {
    before: { mode: "executable\n" },
    change: (repository) => repository.write("mode", "executable\n", { mode: 0o755 }),
    shows: "diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\ndiff --git",
  },
  "a symbolic link": {
    prepare: (repository) => repository.symlink("link", "old target"),
    change: (repository) => repository.symlink("link", "new target"),
    shows: "\n-old target\n\\ No newline at end of file\n+new target\n\\ No newline at end of file\n",
  },
  "a submodule": {
    prepare: (repository) => repository.submodule("open", first),
    change: (repository) => repository.submodule("open", second),
    shows: bump("open"),
  },
  "a submodule that .gitmodules says to ignore": {
    before: { ".gitmodules": `${modules}\tignore = all\n` },
    prepare: (repository) => repository.submodule("closed", first),
    change: (repository) => repository.submodule("closed", second),
    shows: bump("closed"),
  },
  "no newline at the end": {
    before: { ending: "same\nold" },
    after: { ending: "same\nnew" },
    shows: "\n same\n-old\n\\ No newline at end of file\n+new\n\\ No newline at end of file\n",
  },
  CRLF: { before: { crlf: "old\r\n" }, after: { crlf: "new\r\n" }, shows: "\n-old\r\n+new\r\n" },
  "Latin-1": { before: { latin: "caf\xe9\n" }, after: { latin: "th\xe9\n" }, shows: "\n-caf\xe9\n+th\xe9\n" },
  "a name with spaces": { after: { "a b c": "spaces\n" }, shows: "\n+++ b/a b c\t\n" },
  "a name with quotes": { after: { "a\"b'c": "quotes\n" }, shows: '\n+++ "b/a\\"b\'c"\n' },
  "a name with a newline and a tab": { after: { "a\nb\tc": "newline\n" }, shows: '\n+++ "b/a\\nb\\tc"\n' },
  "a name that is not UTF-8": { after: { "a\xff\xe9": "latin\n" }, shows: '\n+++ "b/a\\377\\351"\n' },
  "-diff in the root's .gitattributes": {
    before: { "deep/down.hidden": "old\n" },
    after: { "deep/down.hidden": "new\n" },
    shows: "\nBinary files a/deep/down.hidden and b/deep/down.hidden differ\n",
  },
  "-diff in a folder's .gitattributes, the folder's name being odd": {
    before: { 'odd "\n\xff/.gitattributes': "* -diff\n", 'odd "\n\xff/file': "old\n" },
    after: { 'odd "\n\xff/file': "new\n" },
    shows: '\nBinary files "a/odd \\"\\n\\377/file" and "b/odd \\"\\n\\377/file" differ\n',
  },
  "a built-in diff driver": {
    before: { "driver.py": python("old") },
    after: { "driver.py": python("new") },
    shows: "\n@@ -4,4 +4,4 @@ def inner(self):\n",
  },
  ".gitattributes that the step itself changes": {
    before: { ".gitattributes": `${attributes}early -diff\n`, early: "old\n", late: "old\n" },
    after: { ".gitattributes": `${attributes}late -diff\n`, early: "new\n", late: "new\n" },
    shows: "\nBinary files a/late and b/late differ\n",
  },
  ".gitattributes that the step deletes": {
    before: { "gone/.gitattributes": "* -diff\n", "gone/file": "old shown\n" },
    after: { "gone/.gitattributes": null, "gone/file": "new shown\n" },
    shows: "\n-old shown\n+new shown\n",
  },
  "content that looks like a diff": {
    before: { looks: "-- a/minus\n" },
    after: { looks: "++ b/plus\n@@ -1,9 +1,9 @@\ndiff --git a/x b/x\nBinary files differ\n" },
    shows: "\n--- a/minus\n+++ b/plus\n+@@ -1,9 +1,9 @@\n+diff --git a/x b/x\n+Binary files differ\n",
  },
  "an LFS pointer": {
    before: { "big.lfs": pointer("a") },
    after: { "big.lfs": pointer("b") },
    shows: `\n-oid sha256:${"a".repeat(64)}\n+oid sha256:${"b".repeat(64)}\n`,
  },
  "a deleted file": {
    before: { deleted: "one\ntwo\n" },
    after: { deleted: null },
    shows: "\n--- a/deleted\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n",
  },
  "an empty file": {
    after: { empty: "" },
    shows: `\nnew file mode 100644\nindex ${none}..e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\ndiff --git`,
  },
  "a file that becomes a folder": {
    before: { "swap-1": "file\n" },
    after: { "swap-1": null, "swap-1/inner": "in a folder\n" },
    shows: "+++ b/swap-1/inner\n",
  },
  "a folder that becomes a file": {
    before: { "swap-2/inner": "in another\n" },
    after: { "swap-2/inner": null, "swap-2": "now a file\n" },
    shows: "--- a/swap-2/inner\n+++ /dev/null\n",
  },
  "a file that becomes a link": {
    before: { type: "was a file\n" },
    change: (repository) => repository.symlink("type", "text"),
    shows: "-was a file\ndiff --git a/type b/type\nnew file mode 120000\n",
  },
  "a merge": { shows: "\n+++ b/merged\n@@ -0,0 +1 @@\n+from the topic\n" },
};

/** Writes the files and deletes those that are null. */
export async function apply(repository: Repository, files: Files = {}): Promise<void> {
  const bytes = (text: string) => Buffer.from(text, "latin1");
  for (const [name, content] of Object.entries(files)) {
    if (content === null) await repository.remove(bytes(name));
    else await repository.write(bytes(name), typeof content === "string" ? bytes(content) : content);
  }
}
