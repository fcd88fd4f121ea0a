import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { largeFileName } from "../../../image/lfs/pointer.ts";
import { restore } from "../../../image/mirror/restore.ts";
import { git } from "../../fixtures/git.ts";
import { type LfsServer, startLfsServer } from "../../fixtures/lfs-server.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { asConfiguration } from "../../fixtures/repository.ts";
import { missingPrograms } from "../../fixtures/requirements.ts";

setDefaultTimeout(60_000);

let server: LfsServer;
let mirrored: MirroredRepository;
let folder: string;
let [one, two] = ["", ""];
beforeEach(async () => {
  server = startLfsServer();
  mirrored = await makeMirroredRepository({ beside: server.beside });
  folder = join(mirrored.root, "restored.git");
  one = await server.commit(mirrored.repository, "one.bin", "content one");
  server.options.lacks.add(one);
  await mirrored.run();
  two = await server.commit(mirrored.repository, "two.bin", Buffer.alloc(100_000, "two"));
  await mirrored.run();
});
afterEach(async () => {
  await mirrored[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
const quietly = { signal: new AbortController().signal, onProgress() {} };
const restoreStep = (step?: number) => restore(mirrored.objects, folder, step ? { step } : {}, quietly);
const path = (oid: string) => join(folder, largeFileName({ oid }));
const has = (oid: string) => existsSync(path(oid));

describe("restore", () => {
  test("brings the large files that the mirror has, each to the steps that need it", async () => {
    await restoreStep(1);
    expect([has(one), has(two)]).toEqual([false, false]);
    await restoreStep();
    expect([has(one), has(two)]).toEqual([false, true]);
    // It came after the step that needs it.
    server.options.lacks.clear();
    await mirrored.run();
    await restoreStep(1);
    expect([has(one), has(two)]).toEqual([true, true]);
    folder = `${folder}-other`;
    await restoreStep(1);
    expect([has(one), has(two)]).toEqual([true, false]);
  });

  test("refuses one with a flipped bit, and takes a good one later", async () => {
    const stored = join(mirrored.folder, largeFileName({ oid: two }));
    const good = await readFile(stored);
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(9) ^ 1, 9);
    await writeFile(stored, flipped);
    server.options.lacks.clear();
    await mirrored.run();
    await expect(restoreStep()).rejects.toMatchObject({ code: "mirror-damaged" });
    // Everything else is there.
    expect([has(one), has(two)]).toEqual([true, false]);
    expect((await git(["--git-dir", folder, "rev-parse", "HEAD"])).toString().trim()).toBe(
      await mirrored.repository.head(),
    );
    await writeFile(stored, good);
    await restoreStep();
    expect(await readFile(path(two))).toEqual(good);
  });
});

const missing = missingPrograms("git-lfs", "git-lfs");
describe.skipIf(missing !== undefined)(`git-lfs checks out${missing ? ` (${missing})` : ""}`, () => {
  const filters = asConfiguration({
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.required": "true",
  });

  test("a clone of what was restored", async () => {
    server.options.lacks.clear();
    await mirrored.run();
    await restoreStep();
    const work = join(mirrored.root, "work");
    await git(["clone", "--quiet", folder, work], { env: filters });
    expect(await readFile(join(work, "one.bin"), "utf8")).toBe("content one");
    expect(await readFile(join(work, "two.bin"))).toEqual(Buffer.alloc(100_000, "two"));
    const checked = await git(["lfs", "fsck"], { cwd: work, env: filters });
    expect(checked.toString()).toContain("Git LFS fsck OK");
  });
});
