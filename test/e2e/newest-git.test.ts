import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { delimiter, join } from "node:path";
import { buildImage, type Unpacked, unpack } from "../fixtures/docker.ts";
import { git } from "../fixtures/git.ts";
import type { Repository } from "../fixtures/repository.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { openTestbed, type Testbed } from "../fixtures/testbed.ts";

const missing = missingPrograms("newest-git", "docker", "moto_server");
// The first build fetches Debian's packages.
setDefaultTimeout(600_000);

const [platform, triplet, loader] =
  arch() === "arm64"
    ? ["linux/arm64", "aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"]
    : ["linux/amd64", "x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"];

describe.skipIf(missing !== undefined)(
  `the image's git on this computer${missing ? ` (${missing})` : ""}`,
  () => {
    let image: Unpacked;
    let newest: string;
    let testbed: Testbed;
    let repository: Repository;
    beforeAll(async () => {
      testbed = await openTestbed();
      image = await unpack((await buildImage(platform)).name);
      newest = join(testbed.root, "newest");
      await mkdir(newest);
      const at = (path: string) => join(image.folder, path);
      const script = `#!/bin/sh\nexec ${at(loader)} --library-path ${at(`usr/lib/${triplet}`)} ${at("usr/bin/git")} "$@"\n`;
      await writeFile(join(newest, "git"), script);
      await chmod(join(newest, "git"), 0o755);
      repository = await testbed.repository("repository");
      for (let file = 0; file < 200; file++)
        await repository.write(`folder-${file % 20}/${file}`, `${file}\n`);
      await repository.commit();
      await repository.write("folder-3/3", "changed\n");
      await repository.commit();
    });
    afterAll(async () => {
      await Promise.all([testbed?.close(), image?.[Symbol.asyncDispose]()]);
    });
    beforeEach(() => testbed.reset());

    const withNewest = () => `${newest}${delimiter}${process.env.PATH}`;

    test.each([
      ["serves", { host: true, worker: false }, "blobless", {}],
      ["serves without filters", { host: true, worker: false }, "shallow", { filter: false }],
      ["serves protocol 0", { host: true, worker: false }, "blobless", { protocol: 0 }],
      [
        "serves protocol 0, and no unadvertised commits",
        { host: true, worker: false },
        "deepened",
        { protocol: 0, unadvertised: false },
      ],
      ["collects", { host: false, worker: true }, "blobless", {}],
      ["serves and collects", { host: true, worker: true }, "blobless", {}],
    ] as const)("%s", async (_, uses, strategy, options) => {
      Object.assign(testbed.host.options, { ...options, ...(uses.host && { git: newest }) });
      const target = await testbed.target(repository);
      const ran = await target.run(uses.worker ? { PATH: withNewest() } : {});
      expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
      expect(ran.events[0]).toMatchObject({ event: "collected", strategy, commits: 1 });
      await target.expectCollected();
      const answer = await fetch(`${target.environment.GIT_REPO}/info/refs?service=git-upload-pack`);
      const version = await git(["version"], uses.host ? { env: { PATH: withNewest() } } : {});
      expect(await answer.text()).toContain(
        `agent=git/${version.toString().trim().slice("git version ".length)}`,
      );
    });
  },
);
