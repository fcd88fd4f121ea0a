import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { restore } from "../../../image/mirror/restore.ts";
import { s3Objects } from "../../../image/stores/s3.ts";
import { startAws } from "../../fixtures/aws.ts";
import { git } from "../../fixtures/git.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

let mirrored: MirroredRepository;
let folder: string;
beforeEach(async () => {
  mirrored = await makeMirroredRepository();
  folder = join(mirrored.root, "restored.git");
  await step("one");
  await step("two");
});
afterEach(() => mirrored[Symbol.asyncDispose]());

/** Adds a commit, and mirrors it. Returns its id. */
async function step(text: string): Promise<string> {
  await mirrored.repository.write("file", `${text}\n`);
  const commit = await mirrored.repository.commit(text);
  await mirrored.run();
  return commit;
}
const quietly = { signal: new AbortController().signal, onProgress() {} };
const restoreHere = (moment = {}, objects = mirrored.objects) => restore(objects, folder, moment, quietly);
const inRestored = async (...args: string[]) => (await git(["--git-dir", folder, ...args])).toString().trim();
const content = () => inRestored("show", "HEAD:file");
const packs = async () =>
  (await readdir(join(folder, "objects/pack"))).filter((name) => name.endsWith(".pack"));

describe("restore", () => {
  test("makes a repository of the newest step, of a step, and of a time", async () => {
    const { finished } = await mirrored.record(1);
    await restoreHere();
    expect(await content()).toBe("two");
    await restoreHere({ step: 1 });
    expect(await content()).toBe("one");
    await restoreHere({});
    expect(await content()).toBe("two");
    await restoreHere({ at: new Date(finished) });
    expect(await content()).toBe("one");
    await expect(restoreHere({ at: new Date(0) })).rejects.toMatchObject({ code: "step-missing" });
    await expect(restoreHere({ step: 3 })).rejects.toMatchObject({ code: "step-missing" });
  });

  test("brings a replica up to date, and fetches what is new alone", async () => {
    await restoreHere();
    await step("three");
    const read: string[] = [];
    const { objects } = mirrored;
    const watched = {
      ...objects,
      read: (name: string) => {
        read.push(name);
        return objects.read(name);
      },
    };
    await restoreHere({}, watched);
    expect(await content()).toBe("three");
    const { pack } = await mirrored.record(3);
    expect(read).toEqual([`objects/pack/${pack.name}.pack`, `objects/pack/${pack.name}.idx`]);
    await inRestored("fsck", "--full");
  });

  test("replaces the refs that somebody has made in the folder", async () => {
    await restoreHere({ step: 1 });
    await inRestored("update-ref", "refs/heads/main", "HEAD");
    await inRestored("update-ref", "refs/heads/theirs", "HEAD");
    await restoreHere();
    expect(await content()).toBe("two");
    expect(await inRestored("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  test("leaves a folder with a file of the marker's name alone", async () => {
    await mkdir(folder);
    await writeFile(join(folder, "restored"), "Photos, restored.\n");
    await writeFile(join(folder, "config"), "mine\n");
    await expect(restoreHere()).rejects.toMatchObject({ code: "folder-taken" });
    expect(await readFile(join(folder, "config"), "utf8")).toBe("mine\n");
  });

  test("leaves a folder with something else in it alone", async () => {
    await writeFile(join(mirrored.root, "precious"), "work\n");
    const taken = restore(mirrored.objects, mirrored.root, {}, quietly);
    await expect(taken).rejects.toMatchObject({ code: "folder-taken" });
    expect(await readFile(join(mirrored.root, "precious"), "utf8")).toBe("work\n");
    await git(["init", "--quiet", "--bare", folder]);
    await git(["--git-dir", folder, "pack-refs"]);
    await expect(restoreHere()).rejects.toMatchObject({ code: "folder-taken" });
  });

  test("refuses a pack with a flipped bit, and the next one takes a good one", async () => {
    const { pack } = await mirrored.record(2);
    const path = join(mirrored.folder, "objects/pack", `${pack.name}.pack`);
    const good = await readFile(path);
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(20) ^ 1, 20);
    await writeFile(path, flipped);
    await expect(restoreHere()).rejects.toMatchObject({
      code: "mirror-damaged",
      message: expect.stringContaining(path),
    });
    expect(await packs()).not.toContain(`${pack.name}.pack`);
    await writeFile(path, good);
    await restoreHere();
    expect(await content()).toBe("two");
  });

  test("refuses a chain in which a record was changed", async () => {
    const path = join(mirrored.folder, "_steps/0000000001.json");
    const record = await readFile(path, "utf8");
    await writeFile(path, record.replace('"gitVersion":"', '"gitVersion":"x'));
    await expect(restoreHere()).rejects.toMatchObject({ code: "mirror-damaged" });
  });

  test("stops at its signal, leaves no part of a file, and continues the next time", async () => {
    const stop = new AbortController();
    const { objects } = mirrored;
    const read = async function* (name: string) {
      for await (const chunk of objects.read(name)) {
        yield chunk.subarray(0, 10);
        stop.abort(new Error("stopped"));
        yield chunk.subarray(10);
      }
    };
    const stopped = restore({ ...objects, read }, folder, {}, { signal: stop.signal, onProgress() {} });
    await expect(stopped).rejects.toThrow("stopped");
    expect((await readdir(join(folder, "objects/pack"))).filter((name) => !/\.idx$/.test(name))).toEqual([]);
    await restoreHere();
    expect(await content()).toBe("two");
    await inRestored("fsck", "--full");
  });

  test("ends at once with SIGINT, and says so", async () => {
    await using aws = await startAws();
    const bucket = await aws.createBucket();
    const there = s3Objects(aws.s3, undefined, `${bucket}/api.git`, new AbortController().signal);
    await mirrored.run({ objects: there });
    const asked = Promise.withResolvers<void>();
    const how = () => {
      asked.resolve();
      return "hang" as const;
    };
    aws.fail({ operation: "GetObject", path: ".pack", how });
    const args = ["local", "restore", `s3://${bucket}/api.git`, folder];
    const running = await startWorker(aws.environment, { args });
    await asked.promise;
    running.process.kill("SIGINT");
    const ended = await running.finished;
    expect(ended).toMatchObject({ status: 130, events: [{ event: "failed", code: "stopped" }] });
    expect(ended.seconds).toBeLessThan(20);
  });

  test("is a command, for a folder and for S3", async () => {
    const ended = await runWorker({}, { args: ["local", "restore", mirrored.folder, folder, "--step", "1"] });
    expect(ended.events).toMatchObject([{ event: "restored", step: 1, folder }]);
    expect(await content()).toBe("one");
    const missing = await runWorker(
      {},
      { args: ["local", "restore", mirrored.folder, folder, "--step", "9"] },
    );
    expect(missing).toMatchObject({ status: 1, events: [{ event: "failed", code: "step-missing" }] });
    const wrong = await runWorker({}, { args: ["local", "restore", mirrored.folder, folder, "--step", "x"] });
    expect(wrong).toMatchObject({ status: 2, events: [{ event: "failed", code: "configuration" }] });

    await using aws = await startAws();
    const bucket = await aws.createBucket();
    const there = s3Objects(aws.s3, undefined, `${bucket}/api.git`, new AbortController().signal);
    await mirrored.run({ objects: there });
    const fromS3 = await runWorker(aws.environment, {
      args: ["local", "restore", `s3://${bucket}/api.git`, `${folder}-s3`],
    });
    expect(fromS3.events).toMatchObject([{ event: "restored", step: 1 }]);
    folder = `${folder}-s3`;
    expect(await content()).toBe("two");
  });
});
