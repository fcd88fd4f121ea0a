import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordName } from "../../../image/chain/record.ts";
import { parseMirrorRecord } from "../../../image/mirror/record.ts";
import { restore } from "../../../image/mirror/restore.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import { folderMirror } from "../../fixtures/damageable-mirror.ts";
import { forgeRecord } from "../../fixtures/forged-mirror.ts";
import { type GeneratedMirror, generateMirror } from "../../fixtures/generated-mirror.ts";
import { git } from "../../fixtures/git.ts";

setDefaultTimeout(120_000);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "long-chain-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const quietly = { signal: new AbortController().signal, onProgress() {} };

/** Returns the mirror in a folder, and the names of the records that were read of it. */
function watch(folder: string) {
  const objects = folderObjects(folder);
  const read: string[] = [];
  const get = (name: string) => {
    if (name.startsWith("_steps/")) read.push(name);
    return objects.get(name);
  };
  return { objects: { ...objects, get }, read };
}

async function expectRestored(folder: string, { refs }: GeneratedMirror, step: number) {
  const listed = await git(["--git-dir", folder, "for-each-ref", "--format=%(objectname) %(refname)"]);
  expect({ step, refs: listed.toString() }).toEqual({ step, refs: refs[step - 1] ?? "" });
}

test("each of 200 steps is restored by its time and by its number", async () => {
  const place = join(root, "generated.git");
  const mirror = await generateMirror(place, 200, 20);
  const { objects, read } = watch(place);
  const target = join(root, "restored.git");
  for (const { number, finished } of mirror.records) {
    const at = new Date(finished);
    expect((await restore(objects, target, { at }, quietly)).record.number).toBe(number);
    await expectRestored(target, mirror, number);
    const justBefore = new Date(at.getTime() - 1);
    if (number > 1) {
      const { record } = await restore(objects, target, { at: justBefore }, quietly);
      expect(record.number).toBe(number - 1);
    }
    read.length = 0;
    expect((await restore(objects, target, { step: number }, quietly)).record.number).toBe(number);
    await expectRestored(target, mirror, number);
    // Those up to the step, and the one that has the hash of its record.
    expect(read.length).toBe(Math.min(number + 1, 200));
  }
  await git(["--git-dir", target, "fsck", "--full"]);
});

test("a record that was changed is found by the one behind it, and blocks no earlier step", async () => {
  const place = join(root, "changed.git");
  const mirror = await generateMirror(place, 10, 20);
  const files = folderMirror(place);
  const text = (await files.read(recordName(6))).toString();
  await files.write(recordName(6), text.replace('"owner":"generated"', '"owner":"another"'));
  const { objects } = watch(place);
  const target = join(root, "of-changed.git");
  for (const step of [6, 7]) {
    const refused = restore(objects, target, { step }, quietly);
    await expect(refused).rejects.toMatchObject({ code: "mirror-damaged" });
  }
  await restore(objects, target, { step: 5 }, quietly);
  await expectRestored(target, mirror, 5);
});

test("records that agree with each other, but lead to another state, are refused", async () => {
  const place = join(root, "forged.git");
  await generateMirror(place, 10, 20);
  const { objects } = watch(place);
  await forgeRecord(folderMirror(place), 4, (known) => ({ ...known, refs: known.refs.slice(1) }));
  const refused = restore(objects, join(root, "of-forged.git"), { step: 8 }, quietly);
  await expect(refused).rejects.toMatchObject({
    code: "mirror-damaged",
    message: expect.stringContaining("does not lead to the state"),
  });
});

test("times that go back, as of another clock, hide no later step", async () => {
  const place = join(root, "clocks.git");
  const mirror = await generateMirror(place, 10, 20);
  await forgeRecord(folderMirror(place), 5, (known) => ({ ...known, finished: "2030-01-01T00:00:00.000Z" }));
  const { objects } = watch(place);
  const target = join(root, "of-clocks.git");
  const at = new Date(mirror.records[7]?.finished ?? "");
  expect((await restore(objects, target, { at }, quietly)).record.number).toBe(8);
  await expectRestored(target, mirror, 8);
});

test("a long chain of many refs takes hardly longer than to read its records", async () => {
  const place = join(root, "many.git");
  await generateMirror(place, 300, 10_000);
  const { objects } = watch(place);
  const fastest = async (work: () => Promise<unknown>) => {
    const times: number[] = [];
    for (let run = 0; run < 4; run++) {
      const started = performance.now();
      await work();
      times.push(performance.now() - started);
    }
    return Math.min(...times);
  };
  const reading = await fastest(async () => {
    for (const name of (await readdir(join(place, "_steps"))).sort())
      parseMirrorRecord(await readFile(join(place, "_steps", name), "utf8"));
  });
  const restoring = await fastest(() => restore(objects, join(root, "of-many.git"), {}, quietly));
  // Of the step that is wanted alone, the whole list of refs is made. That of each step would take many times as long.
  expect(restoring / reading).toBeLessThan(5);
});
