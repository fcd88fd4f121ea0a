import { afterAll, expect, test } from "bun:test";
import { link, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lock, toStream, writeAtomically } from "../../../image/stores/files.ts";

const folder = await mkdtemp(join(tmpdir(), "files-"));
const [temporary, path] = [join(folder, "new/temporary"), join(folder, "deep/file")];
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the file has the whole content, and no temporary file is left", async () => {
  await writeAtomically(temporary, toStream("content"), path, rename);
  expect(await readFile(path, "utf8")).toBe("content");
  expect(await readdir(join(folder, "new"))).toEqual([]);
});

test("if the content breaks off, the file stays as it was", async () => {
  async function* broken() {
    yield Buffer.from("half");
    throw new Error("broken");
  }
  await writeFile(path, "before");
  await expect(writeAtomically(temporary, broken(), path, rename)).rejects.toThrow("broken");
  expect(await readFile(path, "utf8")).toBe("before");
  expect(await readdir(join(folder, "new"))).toEqual([]);
});

test("with link, a file that exists is not replaced", async () => {
  await writeFile(path, "first");
  await expect(writeAtomically(temporary, toStream("second"), path, link)).rejects.toThrow("EEXIST");
  expect(await readFile(path, "utf8")).toBe("first");
});

test("a lock has one holder, and a dead holder's lock expires", async () => {
  const file = join(folder, "lock");
  {
    await using _ = await lock(file);
    await expect(lock(file)).rejects.toMatchObject({ code: "EEXIST" });
  }
  await writeFile(file, "");
  await utimes(file, new Date(), new Date(Date.now() - 61_000));
  await expect(lock(file)).rejects.toMatchObject({ code: "EEXIST" });
  await using _ = await lock(file);
});
