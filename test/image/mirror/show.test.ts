import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { show } from "../../../image/mirror/show.ts";
import { s3Objects } from "../../../image/stores/s3.ts";
import type { ByteRange } from "../../../image/stores/stores.ts";
import { startAws } from "../../fixtures/aws.ts";
import { git } from "../../fixtures/git.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(120_000);

const entry = process.env.WORKER_BUNDLE ?? join(import.meta.dirname, "../../../image/main.ts");
let mirrored: MirroredRepository;
let first: string;
let last: string;
const odd = Buffer.from([0x66, 0xff, 0xfe]);
/** Random to a zlib, and the same each time. */
const noise = (bytes: number, seed = 0) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
      createHash("sha256").update(`${seed} ${index}`).digest(),
    ),
  ).subarray(0, bytes);

/** Two steps, of which the second one has deltas against objects of its own pack. */
beforeAll(async () => {
  mirrored = await makeMirroredRepository();
  const { repository } = mirrored;
  await repository.write("file", "one\n");
  await repository.write("docs/page.md", "A page\n");
  first = await repository.commit();
  await repository.git("branch", "topic");
  await mirrored.run();
  await repository.write("file", "two\n");
  await repository.write("docs/deep/er/page.md", "Deeper\n");
  await repository.write(Buffer.concat([Buffer.from("docs/"), odd]), "odd name\n");
  await repository.write("empty", "");
  await repository.write("bytes", Buffer.from([0, 255, 13, 10, 0]));
  await repository.symlink("link", "docs/page.md");
  await repository.submodule("module", "1".repeat(40));
  await repository.write("large", noise(5 * 1024 * 1024));
  await repository.write("similar", Buffer.concat([noise(300_000, 1), Buffer.from("end\n")]));
  await repository.write("similar-2", Buffer.concat([noise(300_000, 1), Buffer.from("another end\n")]));
  await repository.commit();
  await repository.git("tag", "-a", "-m", "One", "v1");
  await repository.git("tag", "-a", "-m", "A tag of a tag", "v1-again", "v1");
  await repository.git("tag", "topic", "main");
  last = await repository.head();
  await mirrored.run();
});
afterAll(() => mirrored[Symbol.asyncDispose]());

const showHere = (ref: string, path: string, moment = {}) => show(mirrored.objects, { ref, path }, moment);
const fromGit = async (name: string) => git(["cat-file", "blob", name], { cwd: mirrored.repository.path });

describe("show", () => {
  test.each([
    "file",
    "docs/page.md",
    "docs/deep/er/page.md",
    "empty",
    "bytes",
    "large",
    "similar",
    "similar-2",
    "link",
  ])("returns the bytes of %s, as git has them", async (path) => {
    const content = await showHere("main", path);
    expect(Buffer.compare(content, await fromGit(`main:${path}`))).toBe(0);
  });

  test.each(["HEAD", "main", "heads/main", "refs/heads/main", "v1", "tags/v1", "refs/tags/v1-again"])(
    "%s leads to the newest commit",
    async (ref) => {
      expect((await showHere(ref, "file")).toString()).toBe("two\n");
    },
  );

  test("a tag comes before a branch of its name, as in git", async () => {
    expect((await showHere("topic", "file")).toString()).toBe("two\n");
    expect((await showHere("heads/topic", "file")).toString()).toBe("one\n");
  });

  test("an id of any commit leads there, also of one that was mirrored before", async () => {
    expect((await showHere(first, "file")).toString()).toBe("one\n");
    expect((await showHere(last, "file")).toString()).toBe("two\n");
    const tree = await mirrored.repository.git("rev-parse", "main:docs");
    expect((await showHere(tree, "page.md")).toString()).toBe("A page\n");
  });

  test("shows a state of before, by its number and its time", async () => {
    const { finished } = await mirrored.record(1);
    expect((await showHere("main", "file", { step: 1 })).toString()).toBe("one\n");
    expect((await showHere("HEAD", "file", { at: new Date(finished) })).toString()).toBe("one\n");
    await expect(showHere("v1", "file", { step: 1 })).rejects.toMatchObject({ code: "ref-missing" });
    await expect(showHere("main", "file", { step: 3 })).rejects.toMatchObject({ code: "step-missing" });
  });

  test("lists the names in a folder, in git's order and bytes", async () => {
    const shown = await git(["show", "main:docs"], { cwd: mirrored.repository.path });
    const names = shown.subarray(shown.indexOf("\n\n") + 2);
    expect(Buffer.compare(await showHere("main", "docs"), names)).toBe(0);
    expect(Buffer.compare(await showHere("main", "docs/"), names)).toBe(0);
    expect((await showHere("main", "", { step: 1 })).toString()).toBe("docs/\nfile\n");
  });

  test.each([
    ["no such branch", "nothing", "file", "ref-missing"],
    ["no such commit", "2".repeat(40), "file", "ref-missing"],
    ["no such file", "main", "docs/nothing.md", "path-missing"],
    ["a file for a folder", "main", "file/page.md", "path-missing"],
    ["a submodule", "main", "module", "path-missing"],
    ["what is in a submodule", "main", "module/file", "path-missing"],
  ])("%s is an error that says so", async (_, ref, path, code) => {
    await expect(showHere(ref, path)).rejects.toMatchObject({ code });
  });

  test("reads parts of the packs alone", async () => {
    const ranges: ByteRange[] = [];
    const { objects } = mirrored;
    const read = (name: string, part?: ByteRange) => {
      if (name.endsWith(".pack")) ranges.push(part ?? { start: 0, length: Number.POSITIVE_INFINITY });
      return objects.read(name, part);
    };
    await show({ ...objects, read }, { ref: "main", path: "docs/page.md" }, {});
    expect(ranges.length).toBeGreaterThan(0);
    expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(1024 * 1024);
  });

  /** The mirror, with other bytes in its packs or indexes. */
  const damaged = (ending: string, change: (content: Buffer) => Buffer) => ({
    ...mirrored.objects,
    async *read(name: string, part?: ByteRange) {
      const content = Buffer.concat(await Array.fromAsync(mirrored.objects.read(name)));
      const changed = name.endsWith(ending) ? change(content) : content;
      yield part ? changed.subarray(part.start, part.start + part.length) : changed;
    },
  });

  test("refuses a pack with other bytes", async () => {
    const inverted = damaged(".pack", (content) => content.map((byte) => byte ^ 0x55) as Buffer);
    const shown = show(inverted, { ref: first, path: "file" }, {});
    await expect(shown).rejects.toMatchObject({ code: "mirror-damaged" });
  });

  test("refuses an object that is another one than its id says", async () => {
    // Each object is where its neighbour was, and the index has the right hash of itself.
    const exchanged = damaged(".idx", (content) => {
      const count = content.readUInt32BE(8 + 255 * 4);
      const offsets = content.subarray(8 + 256 * 4 + 24 * count, 8 + 256 * 4 + 28 * count);
      const moved = Buffer.concat([offsets.subarray(4), offsets.subarray(0, 4)]);
      const start = Buffer.concat([content.subarray(0, 8 + 256 * 4 + 24 * count), moved]);
      const rest = Buffer.concat([start, content.subarray(start.length, -20)]);
      return Buffer.concat([rest, createHash("sha1").update(rest).digest()]);
    });
    const shown = show(exchanged, { ref: first, path: "file" }, {});
    await expect(shown).rejects.toMatchObject({
      code: "mirror-damaged",
      message: expect.stringContaining("is another one"),
    });
  });

  test("shows what the records say, where what is published is another state", async () => {
    const { objects } = mirrored;
    const get = async (name: string) => {
      const stored = await objects.get(name);
      return name === "info/refs" && stored
        ? { ...stored, text: stored.text.replaceAll(last, first) }
        : stored;
    };
    expect((await show({ ...objects, get }, { ref: "main", path: "file" }, {})).toString()).toBe("two\n");
  });
});

test("a file of more than 64 MiB is refused with the way out", async () => {
  await using other = await makeMirroredRepository();
  await other.repository.write("zeros", Buffer.alloc(64 * 1024 * 1024 + 1));
  await other.repository.write("file", "small\n");
  await other.repository.commit();
  await other.run();
  const refused = show(other.objects, { ref: "main", path: "zeros" }, {});
  await expect(refused).rejects.toMatchObject({
    code: "file-too-large",
    remedy: expect.stringContaining("restore"),
  });
  expect((await show(other.objects, { ref: "main", path: "file" }, {})).toString()).toBe("small\n");
});

test("is a command, whose stdout is the file alone", async () => {
  const inFolder = (...args: string[]) =>
    runWorker({}, { args: ["local", "show", mirrored.folder, ...args] });
  expect(await inFolder("main:docs/page.md")).toMatchObject({ status: 0, stdout: "A page\n", stderr: "" });
  expect(await inFolder("main:file", "--step", "1")).toMatchObject({ status: 0, stdout: "one\n" });
  const missing = await inFolder("main:nothing");
  expect(missing).toMatchObject({ status: 1, stdout: "" });
  expect(JSON.parse(missing.stderr)).toMatchObject({
    event: "failed",
    code: "path-missing",
    ref: "main",
    path: "nothing",
  });
  const wrong = await inFolder("main");
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  expect(JSON.parse(wrong.stderr).problems.join()).toContain("no REF:PATH");

  const out = join(mirrored.root, "shown");
  const command = [process.execPath, entry, "local", "show", mirrored.folder, "main:large"];
  expect(await Bun.spawn(command, { stdout: Bun.file(out) }).exited).toBe(0);
  expect(Buffer.compare(await readFile(out), await fromGit("main:large"))).toBe(0);

  await using aws = await startAws();
  const bucket = await aws.createBucket();
  const there = s3Objects(aws.s3, undefined, `${bucket}/api.git`, new AbortController().signal);
  await mirrored.run({ objects: there });
  const place = `s3://${bucket}/api.git`;
  const shown = await runWorker(aws.environment, { args: ["local", "show", place, "main:docs/page.md"] });
  expect(shown).toMatchObject({ status: 0, stdout: "A page\n", stderr: "" });
  const whole = aws.calls.filter(
    ({ operation, path, headers }) => operation === "GetObject" && path.endsWith(".pack") && !headers.range,
  );
  expect(whole).toEqual([]);
});
