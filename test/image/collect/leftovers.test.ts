import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { isGone, processName } from "../../../image/lib/process-name.ts";
import { removeFolder } from "../../../image/lib/remove.ts";
import { makeRepository } from "../../fixtures/repository.ts";
import { runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "leftovers-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("after a local run was killed, the next one collects at once, and removes its scratch folder", async () => {
  await using repository = await makeRepository({ path: join(folder, "repository") });
  await repository.write("file", "one\n");
  await repository.commit();
  const [bin, temporary] = [join(folder, "bin"), join(folder, "temporary")];
  await mkdir(bin);
  await mkdir(temporary);
  // git that never ends once the step is claimed and its scratch folder is there.
  const script = `#!/bin/sh\n[ "$1" = index-pack ] && echo >${folder}/reached && exec sleep 60\nexec ${Bun.which("git")} "$@"\n`;
  await writeFile(join(bin, "git"), script);
  await chmod(join(bin, "git"), 0o755);
  const options = { cwd: repository.path, args: ["local"] };
  const killed = await startWorker({ TMPDIR: temporary, PATH: `${bin}:${process.env.PATH}` }, options);
  const results = join(repository.path, "git-diffs");
  while (!existsSync(join(folder, "reached")) || !existsSync(results)) await Bun.sleep(20);
  await Bun.sleep(200);
  killed.process.kill("SIGKILL");
  await killed.finished;
  expect(await readdir(temporary)).toHaveLength(1);
  const ran = await runWorker({ TMPDIR: temporary }, options);
  expect(ran.events[0]).toMatchObject({ event: "collected", kind: "baseline" });
  expect(await readdir(temporary)).toEqual([]);
});

test("only a process of this computer is known to be gone", async () => {
  const { exited, pid } = Bun.spawn(["true"]);
  await exited;
  const host = hostname().replace(/[^\w.-]/g, "_");
  expect(isGone(processName())).toBe(false);
  expect(isGone(`${host}-${pid}`)).toBe(true);
  expect(isGone(`another-computer-${pid}`)).toBe(false);
  expect(isGone("")).toBe(false);
});

test("a folder is removed although a process is writing into it", async () => {
  const path = join(folder, "busy");
  await mkdir(path);
  const writer = Bun.spawn([
    "sh",
    "-c",
    `i=0; while [ $i -lt 300 ]; do mkdir -p ${path}/a; echo >${path}/a/$i; i=$((i+1)); done`,
  ]);
  await Bun.sleep(20);
  await removeFolder(path).catch(() => {});
  await writer.exited;
  await removeFolder(path);
  expect(existsSync(path)).toBe(false);
});
