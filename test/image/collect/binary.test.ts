import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { recordName } from "../../../image/chain/record.ts";
import { collectOnce, latin1 } from "../../fixtures/collect-once.ts";
import { makeCollectedRepository } from "../../fixtures/collected-repository.ts";
import { EMPTY_TREE, makeRepository, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);

let testbed: Testbed;
let repository: Repository;
let from: string;
let to: string;

beforeAll(async () => {
  testbed = await openTestbed();
  repository = await makeRepository({ path: `${testbed.root}/repository` });
  const bytes = Uint8Array.from({ length: 9_000 }, (_, index) => (index * index) % 251);
  await repository.write("edited.bin", bytes);
  await repository.write("never shown", "text\n");
  await repository.write(".gitattributes", "never* -diff\n");
  from = await repository.commit();
  bytes[4_000] = 255;
  await repository.write("edited.bin", bytes);
  await repository.write("never shown", "another text\n");
  to = await repository.commit();
});
beforeEach(() => testbed.reset());
afterAll(() => testbed.close());

const binaryDiff = (from: string) => {
  const options = ["--full-index", "--find-renames", "--no-color", "--no-ext-diff", "--no-textconv"];
  return repository.gitBytes(["diff", "--binary", ...options, from, to]);
};

test.each([
  ["a host that sends just the files that changed", true, "blobless"],
  ["a host that sends everything", false, "shallow"],
])("BINARY=include has the content of binary files in the diff, from %s", async (_, filter, strategy) => {
  testbed.host.options.filter = filter;
  const { status, diff, event, metadata } = await collectOnce(testbed, repository, from, {
    BINARY: "include",
  });
  expect(status).toBe(0);
  expect(diff).toBe(latin1(await binaryDiff(from)));
  expect(diff).toContain("\nGIT binary patch\ndelta ");
  expect(event).toMatchObject({
    strategy,
    binary: true,
    files: 2,
    binaryFiles: 2,
    linesAdded: 0,
    linesRemoved: 0,
  });
  expect(metadata).toMatchObject({ from, to });
});

test.each(["", "omit"])("BINARY=%j omits it, and the record notes it", async (BINARY) => {
  const { diff, event } = await collectOnce(testbed, repository, from, { BINARY });
  expect(diff).toContain("\nBinary files a/edited.bin and b/edited.bin differ\n");
  expect(event).toMatchObject({ binary: false, files: 2, binaryFiles: 2 });
});

test("a baseline with binary content", async () => {
  const { diff, event } = await collectOnce(testbed, repository, null, { BINARY: "include" });
  expect(diff).toBe(latin1(await binaryDiff(EMPTY_TREE)));
  expect(event).toMatchObject({ kind: "baseline", binary: true, files: 3, binaryFiles: 2, linesAdded: 1 });
});

test.each(["include", "omit"])(
  "a step claimed with BINARY=%s is finished so, whatever is set then",
  async (BINARY) => {
    await using collection = await makeCollectedRepository();
    await collection.repository.write("binary", Uint8Array.of(0, 1, 2));
    await collection.repository.commit();
    expect(await collection.collect({ BINARY })).toMatchObject({ status: 0 });
    const [name = ""] = await collection.diffs();
    const stored = await collection.read(name);
    const dead = { state: "claimed", claimed: new Date(0).toISOString() };
    await collection.amend(1, (known) => ({ ...known, ...dead }));
    await collection.remove(name);
    await collection.remove("cursor");
    const other = BINARY === "include" ? "omit" : "include";
    expect(await collection.collect({ BINARY: other })).toMatchObject({ status: 0 });
    expect(await collection.read(name)).toBe(stored);
    expect(JSON.parse(await collection.read(recordName(1)))).toMatchObject({
      state: "complete",
      binary: BINARY === "include",
    });
  },
);

test("a binary file that is only renamed, or whose mode alone changes, is counted as git counts it", async () => {
  const moved = await makeRepository({ path: `${testbed.root}/moved` });
  await moved.write("image", Uint8Array.of(0, 1, 2));
  await moved.write("program", Uint8Array.of(0, 3, 4));
  await moved.write("text", "text\n");
  const before = await moved.commit();
  await moved.git("mv", "image", "picture");
  await moved.git("mv", "text", "words");
  await moved.git("update-index", "--chmod=+x", "program");
  await moved.git("commit", "--quiet", "-m", "Moved");
  const { event } = await collectOnce(testbed, moved, before, {});
  expect(event).toMatchObject({ files: 3, binaryFiles: 2, linesAdded: 0, linesRemoved: 0 });
});
