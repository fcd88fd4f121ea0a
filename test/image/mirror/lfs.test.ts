import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { largeFileName } from "../../../image/lfs/pointer.ts";
import { restore } from "../../../image/mirror/restore.ts";
import { s3Objects } from "../../../image/stores/s3.ts";
import type { ObjectStore } from "../../../image/stores/stores.ts";
import { startAws } from "../../fixtures/aws.ts";
import { type LfsServer, oidOf, pointerOf, startLfsServer } from "../../fixtures/lfs-server.ts";
import {
  type MirroredRepository,
  makeMirroredRepository,
  type RunOptions,
} from "../../fixtures/mirrored-repository.ts";

setDefaultTimeout(60_000);

let server: LfsServer;
let mirrored: MirroredRepository;
beforeEach(async () => {
  server = startLfsServer();
  mirrored = await makeMirroredRepository({ beside: server.beside });
});
afterEach(async () => {
  await mirrored[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const commit = (path: string, content: string | Buffer) => server.commit(mirrored.repository, path, content);
const stored = async () =>
  (await Array.fromAsync(mirrored.objects.list("lfs/objects/")))
    .map(({ name }) => name.split("/").at(-1))
    .sort();
const content = (oid: string) => readFile(join(mirrored.folder, largeFileName({ oid })), "utf8");
/** Runs, expects that the git part is mirrored, and returns the error that names what is missing. */
async function missing(options?: RunOptions): Promise<{ code: string; message: string; remedy: string }> {
  const outcome = await mirrored.step(options);
  return (outcome as unknown as { failure: { code: string; message: string; remedy: string } }).failure;
}
const requests = () =>
  mirrored.host.requests.map(({ method, path }) => `${method} ${path.replace(/.*\.git\//, "")}`);

describe("large files", () => {
  test("come along, each once, and are named in a record", async () => {
    const oids = [await commit("one.bin", "content one"), await commit("two.bin", "two")];
    const outcome = await mirrored.step();
    expect(outcome).toMatchObject({ status: "mirrored", steps: [{ number: 1 }, { number: 2 }] });
    expect(outcome).not.toHaveProperty("failure");
    expect(await stored()).toEqual(oids.toSorted());
    expect(await content(oids[0] ?? "")).toBe("content one");
    const [first, second] = [await mirrored.record(1), await mirrored.record(2)];
    expect(second.lfs.map(({ oid }: { oid: string }) => oid).sort()).toEqual(oids.toSorted());
    expect(second).toMatchObject({ refs: [], pack: null, from: first.to, to: first.to });
    expect(second).not.toHaveProperty("lfsMissing");
    expect(server.asked).toHaveLength(1);

    // The same content at another path, and a new one.
    await commit("copy.bin", "two");
    const three = await commit("three.bin", "three");
    await mirrored.step();
    expect(server.asked[1]).toEqual([three]);
    expect(await stored()).toEqual([...oids, three].sort());
  });

  test("are asked for a hundred at a time, and only those that are new", async () => {
    const { repository } = mirrored;
    for (let each = 0; each < 250; each++) {
      const text = `content ${each}`;
      server.objects.set(oidOf(text), Buffer.from(text));
      await repository.write(`${each}.bin`, pointerOf(text));
    }
    await repository.commit();
    await mirrored.step();
    expect(server.asked.map((oids) => oids.length)).toEqual([100, 100, 50]);
    expect(await stored()).toHaveLength(250);
  });

  test("cost nothing where none is missing", async () => {
    await commit("one.bin", "one");
    await mirrored.run();
    mirrored.host.reset();
    const calls: string[] = [];
    expect(await mirrored.run({ objects: watched(mirrored.objects, calls) })).toMatchObject({
      status: "unchanged",
    });
    expect(requests()).toEqual(["GET info/refs", "POST git-upload-pack"]);
    expect(calls).toEqual(["get cursor", "list _steps/"]);
    expect(server.asked).toHaveLength(1);
  });

  test("are left alone with lfs: false, also those that were missing before", async () => {
    const oid = await commit("one.bin", "one");
    const repository = { lfs: false };
    expect(await mirrored.step({ repository })).toMatchObject({ steps: [{ number: 1 }] });
    expect(await mirrored.record(1)).not.toHaveProperty("lfsMissing");
    const two = await commit("two.bin", "two");
    server.options.lacks.add(two);
    await mirrored.run();
    expect(await mirrored.run({ repository })).toMatchObject({ status: "unchanged" });
    expect(server.asked.flat()).not.toContain(oid);
    expect(server.asked).toHaveLength(1);
  });

  test("of a repository on this computer come from its folder", async () => {
    const { repository } = mirrored;
    const [one, two] = [await commit("one.bin", "one"), await commit("two.bin", "two")];
    const path = join(repository.path, ".git", largeFileName({ oid: one }));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "one");
    const url = pathToFileURL(repository.path).href;
    const failure = await missing({ repository: { location: { url, transport: "file" } } });
    expect(failure).toMatchObject({ code: "lfs-missing" });
    expect(failure.message).toContain(two);
    expect(failure.message).not.toContain(one);
    expect(await stored()).toEqual([one]);
  });
});

describe("a missing file", () => {
  test("is named, and asked for again although no ref has changed", async () => {
    const [one, two] = [await commit("one.bin", "one"), await commit("two.bin", "two")];
    server.options.lacks.add(two);
    const failure = await missing();
    expect(failure.code).toBe("lfs-missing");
    expect(failure.message).toContain(two);
    expect(failure.message).toContain("Object does not exist");
    expect(await stored()).toEqual([one]);
    expect(await mirrored.record(2)).toMatchObject({
      lfs: [{ oid: one }],
      lfsMissing: [{ oid: two, bytes: 3 }],
    });

    mirrored.host.reset();
    const calls: string[] = [];
    const again = mirrored.run({ objects: watched(mirrored.objects, calls) });
    await expect(again).rejects.toMatchObject({ code: "lfs-missing" });
    expect(requests()).toEqual(["GET info/refs", "POST git-upload-pack", "POST info/lfs/objects/batch"]);
    expect(calls.filter((call) => call.startsWith("put"))).toEqual([]);
    expect(await mirrored.record(3)).toBeNull();

    await commit("three.bin", "three");
    expect((await missing()).message).toContain(two);

    server.options.lacks.clear();
    const found = await mirrored.step();
    expect(found).toMatchObject({ status: "mirrored", steps: [{ refs: [], lfs: [{ oid: two }] }] });
    expect(found).not.toHaveProperty("failure");
    expect(await content(two)).toBe("two");
    expect(await mirrored.run()).toMatchObject({ status: "unchanged" });
    await mirrored.expectEveryStepWhole();
  });

  test("that somebody has put there is taken", async () => {
    const oid = await commit("one.bin", "one");
    server.options.lacks.add(oid);
    await missing();
    await mirrored.objects.put(largeFileName({ oid }), once("one"), { contentType: "", metadata: {} });
    expect(await mirrored.run()).toMatchObject({ steps: [{ lfs: [{ oid, bytes: 3 }] }] });
  });

  test("of many: five are named, and a count", async () => {
    server.options.status = 404;
    for (let each = 0; each < 7; each++) await commit(`${each}.bin`, `content ${each}`);
    const { message } = await missing();
    expect(message.match(/[0-9a-f]{64}/g)).toHaveLength(5);
    expect(message).toContain("and 2 more");
  });

  test.each(["flips", "cuts", "lengthens"] as const)("is one of which the server %s a byte", async (kind) => {
    const big = Buffer.alloc(20 * 1024 * 1024, "big");
    const [wrong, right] = [await commit("wrong.bin", big), await commit("right.bin", "right")];
    server.options[kind].add(wrong);
    expect((await missing()).message).toContain(wrong);
    expect(await stored()).toEqual([right]);
    server.options[kind].clear();
    expect(await mirrored.step()).toMatchObject({ steps: [{ lfs: [{ oid: wrong }] }] });
  });

  test("does not count where another pointer has the right size", async () => {
    const oid = await commit("one.bin", "one");
    await mirrored.repository.write("other.bin", pointerOf("one").replace("size 3", "size 4"));
    await mirrored.repository.commit();
    expect(await mirrored.step()).not.toHaveProperty("failure");
    expect(await stored()).toEqual([oid]);
  });
});

test("a file whose end is wrong is not stored in S3, and leaves no upload", async () => {
  await using aws = await startAws();
  const bucket = await aws.createBucket();
  const objects = s3Objects(aws.s3, undefined, `${bucket}/api.git`, new AbortController().signal);
  const oid = await commit("large.bin", Buffer.alloc(17 * 1024 * 1024, "large"));
  server.options.lengthens.add(oid);
  expect(await mirrored.run({ objects })).toMatchObject({ failure: { code: "lfs-missing" } });
  const key = `api.git/${largeFileName({ oid })}`;
  expect(await aws.objects(bucket)).not.toContain(key);
  expect(await aws.uploads(bucket)).toEqual([]);
  server.options.lengthens.clear();
  expect(await mirrored.run({ objects })).toMatchObject({ steps: [{ lfs: [{ oid }] }] });
  expect(oidOf(Buffer.from(await aws.body(bucket, key)))).toBe(oid);
  const folder = join(mirrored.root, "restored.git");
  await restore(objects, folder, {}, { signal: new AbortController().signal, onProgress() {} });
  expect(oidOf(await readFile(join(folder, largeFileName({ oid }))))).toBe(oid);
});

describe("a server", () => {
  test.each([401, 403, 404, 410, 422, 500, 501])("that answers %i stops no mirror", async (status) => {
    const oid = await commit("one.bin", "one");
    Object.assign(server.options, { status, message: "a message\u001b of the server" });
    const { message } = await missing();
    expect(message).toContain(oid);
    expect(message).toContain(`HTTP status ${status}: a message of the server`);
    expect(server.asked).toHaveLength(1);
  });

  test("that asks for a pause is asked again after it", async () => {
    await commit("one.bin", "one");
    Object.assign(server.options, { status: 429, retryAfter: "1" });
    setTimeout(() => {
      server.options.status = undefined;
    }, 500);
    expect(await mirrored.step()).not.toHaveProperty("failure");
    expect(server.asked).toHaveLength(2);
  });

  test("that asks for a long one stops no mirror", async () => {
    await commit("one.bin", "one");
    Object.assign(server.options, { status: 429, retryAfter: "3600" });
    expect(await missing()).toMatchObject({ code: "lfs-missing" });
  });

  test("is asked again where its offer is over", async () => {
    const oid = await commit("one.bin", "one");
    server.options.expiredRequests = 1;
    expect(await mirrored.step()).not.toHaveProperty("failure");
    expect(server.asked).toEqual([[oid], [oid]]);
  });

  test.each([
    ["no URL", "nowhere"],
    ["a file", "file:///etc/passwd"],
    ["another computer without TLS", "http://192.0.2.1/x"],
  ])("that offers %s stops no mirror", async (_, href) => {
    await commit("one.bin", "one");
    server.options.href = () => href;
    expect((await missing()).message).toContain("instead of https://");
  });
});

describe("credentials", () => {
  const credentials = { user: "user", password: "secret password" };
  const basic = `Basic ${Buffer.from("user:secret password").toString("base64")}`;
  beforeEach(() => {
    mirrored.host.options.credentials = credentials;
  });
  const run = () => mirrored.run({ repository: { credentials } });

  test.each(["elsewhere", "redirected"] as const)("reach no other host: offered %s", async (offersAt) => {
    const oid = await commit("one.bin", "one");
    // The offer's own header is for its own host.
    Object.assign(server.options, {
      offersAt,
      header: offersAt === "elsewhere" ? { "X-Token": "of the offer" } : {},
    });
    await run();
    expect(await stored()).toEqual([oid]);
    expect(mirrored.host.requests.map(({ headers }) => headers.authorization)).not.toContain(undefined);
    expect(server.elsewhere).toHaveLength(1);
    const [headers] = server.elsewhere;
    expect(JSON.stringify(headers)).not.toContain("Basic");
    expect(headers?.get("authorization")).toBeNull();
    expect(headers?.get("x-token")).toBe(offersAt === "elsewhere" ? "of the offer" : null);
  });

  test("an offer's own header does not follow a redirect", async () => {
    await commit("one.bin", "one");
    Object.assign(server.options, {
      offersAt: "redirected",
      header: { Authorization: basic, "X-Token": "of the offer" },
    });
    await run();
    expect(server.elsewhere).toHaveLength(1);
    expect(JSON.stringify(server.elsewhere)).not.toMatch(/Basic|of the offer/);
  });

  test("belong to an offer on the repository's own host", async () => {
    const oid = await commit("one.bin", "one");
    server.options.offersAt = "here";
    await run();
    expect(await stored()).toEqual([oid]);
  });

  test("are in no message, although the server repeats them", async () => {
    await commit("one.bin", "one");
    Object.assign(server.options, { status: 403, message: `no: ${basic} secret password` });
    const outcome = await run();
    expect(outcome).toMatchObject({ failure: { code: "lfs-missing" } });
    expect(JSON.stringify(outcome) + String((outcome as { failure?: Error }).failure?.message)).not.toMatch(
      /secret password|Basic [^*]/,
    );
  });
});

async function* once(text: string) {
  yield Buffer.from(text);
}

/** Returns the same store, and notes its calls. */
function watched(objects: ObjectStore, calls: string[]): ObjectStore {
  return {
    ...objects,
    get: (name) => {
      calls.push(`get ${name}`);
      return objects.get(name);
    },
    list: (prefix, after) => {
      calls.push(`list ${prefix}`);
      return objects.list(prefix, after);
    },
    put: (name, ...rest) => {
      calls.push(`put ${name}`);
      return objects.put(name, ...rest);
    },
    putIf: (name, ...rest) => {
      calls.push(`put ${name}`);
      return objects.putIf(name, ...rest);
    },
  };
}
