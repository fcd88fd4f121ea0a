import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { largeFileName } from "../../../image/lfs/pointer.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import { exportDelta } from "../../../image/transfer/export.ts";
import { importDelta } from "../../../image/transfer/import.ts";
import { verifyMirror } from "../../../image/verify/verify-mirror.ts";
import { type LfsServer, startLfsServer } from "../../fixtures/lfs-server.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";

setDefaultTimeout(60_000);

let server: LfsServer;
let mirrored: MirroredRepository;
let oids: string[];
beforeEach(async () => {
  server = startLfsServer();
  mirrored = await makeMirroredRepository({ beside: server.beside });
  oids = [];
  for (const text of ["one", "two", "three", "four"]) {
    oids.push(await server.commit(mirrored.repository, `${text}.bin`, `content ${text}`));
    await mirrored.run();
  }
});
afterEach(async () => {
  await mirrored[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const { signal } = new AbortController();
const verify = async (options = {}, objects = mirrored.objects) => {
  const all = {
    replay: false,
    part: undefined,
    lockDays: undefined,
    signal,
    onProgress: () => {},
    ...options,
  };
  return (await verifyMirror(objects, all)).findings.map(
    ({ code, level, object }) => `${level} ${code} ${object}`,
  );
};
const name = (index: number) => largeFileName({ oid: oids[index] ?? "" });
const path = (index: number) => join(mirrored.folder, name(index));
async function flip(index: number) {
  const content = await readFile(path(index));
  content.writeUInt8(content.readUInt8(3) ^ 1, 3);
  await writeFile(path(index), content);
}

describe("verify", () => {
  test("finds a large file that is missing, is cut, or has a flipped bit", async () => {
    expect(await verify()).toEqual([]);
    expect(await verify({ replay: true })).toEqual([]);
    await rm(path(0));
    await writeFile(path(1), "cut");
    await flip(2);
    const found = [
      `lfs-file-missing ${name(0)}`,
      `lfs-file-altered ${name(1)}`,
      `lfs-file-altered ${name(2)}`,
    ];
    for (const replay of [false, true])
      expect(await verify({ replay })).toEqual(found.map((finding) => `problem ${finding}`));
  });

  test("reads each in one of the parts, and the sizes in all of them", async () => {
    await flip(2);
    const parts = [1, 2, 3].map((number) => verify({ part: { number, of: 3 } }));
    expect((await Promise.all(parts)).flat()).toEqual([`problem lfs-file-altered ${name(2)}`]);
    await rm(path(0));
    for (const number of [1, 2, 3])
      expect(await verify({ part: { number, of: 3 } })).toContain(`problem lfs-file-missing ${name(0)}`);
  });

  test("notes what the host lacks", async () => {
    const oid = await server.commit(mirrored.repository, "five.bin", "content five");
    server.options.lacks.add(oid);
    await mirrored.run();
    expect(await verify()).toEqual([`note lfs-missing ${largeFileName({ oid })}`]);
  });
});

describe("a delta", () => {
  test("has the large files that its records name", async () => {
    const folder = join(mirrored.root, "imported.git");
    const place = folderObjects(folder);
    const first = await exportDelta(mirrored.objects, undefined);
    expect(await importDelta(first.content(), place, signal)).toMatchObject({ steps: 8 });
    for (const [index] of oids.entries())
      expect(await readFile(join(folder, name(index)), "utf8")).toStartWith("content ");
    expect(await verify({}, place)).toEqual([]);
    // With one that is missing, which comes later: the cursor says so there too.
    const oid = await server.commit(mirrored.repository, "five.bin", "content five");
    server.options.lacks.add(oid);
    await mirrored.run();
    const second = await exportDelta(mirrored.objects, 8);
    await importDelta(second.content(), place, signal);
    server.options.lacks.clear();
    await mirrored.run();
    const third = await exportDelta(mirrored.objects, 9);
    expect(third).toMatchObject({ steps: 1, files: 1 });
    expect(await importDelta(third.content(), place, signal)).toMatchObject({ steps: 1, files: 1 });
    expect(await importDelta(third.content(), place, signal)).toMatchObject({ steps: 0, files: 0 });
    expect(existsSync(join(folder, largeFileName({ oid })))).toBe(true);
    for (const file of ["cursor", "HEAD", "info/refs"])
      expect(await readFile(join(folder, file), "utf8")).toBe(
        await readFile(join(mirrored.folder, file), "utf8"),
      );
  });

  test("is refused where a large file was changed, or is missing at the place of the export", async () => {
    const place = folderObjects(join(mirrored.root, "imported.git"));
    const [read, delta] = [
      await exportDelta(mirrored.objects, undefined),
      await exportDelta(mirrored.objects, undefined),
    ];
    await flip(1);
    await expect(Array.fromAsync(read.content())).rejects.toMatchObject({ code: "chain-damaged" });
    await expect(importDelta(delta.content(), place, signal)).rejects.toMatchObject({
      code: "delta-altered",
    });
    expect(existsSync(join(mirrored.root, "imported.git", "_steps"))).toBe(false);
    await rm(path(1));
    await expect(exportDelta(mirrored.objects, undefined)).rejects.toMatchObject({ code: "chain-damaged" });
  });
});
