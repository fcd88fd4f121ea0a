import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// The computer may be busy.
setDefaultTimeout(30_000);
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
afterEach(() => testbed.reset());

test("without git on PATH, the error is git-missing", async () => {
  const target = await testbed.target(await testbed.repository("missing"));
  expect((await target.run({ PATH: "/nonexistent" })).events[0]).toMatchObject({ code: "git-missing" });
});

test("a killed git is not mistaken for a host that refuses: no other strategy is tried", async () => {
  const target = await testbed.target(await testbed.repository("killed"));
  const folder = join(testbed.root, "bin");
  await mkdir(folder);
  const script = `#!/bin/sh\n[ "$1" = index-pack ] && echo >>${folder}/fetches && kill -9 $$\nexec ${Bun.which("git")} "$@"\n`;
  await writeFile(join(folder, "git"), script);
  await chmod(join(folder, "git"), 0o755);
  await target.run({ PATH: `${folder}:${process.env.PATH}` });
  expect(await Bun.file(join(folder, "fetches")).text()).toBe("\n");
});

test("a submodule named .gitattributes is not mistaken for a lost commit", async () => {
  const repository = await testbed.repository("submodule");
  await repository.submodule("folder/.gitattributes", "1".repeat(40));
  await repository.commit();
  const target = await testbed.target(repository);
  expect((await target.run()).events[0]).toMatchObject({ event: "collected", kind: "change" });
});
