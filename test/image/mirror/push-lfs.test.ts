import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { largeFileName } from "../../../image/lfs/pointer.ts";
import { git } from "../../fixtures/git.ts";
import { type Host, startHost } from "../../fixtures/git-host.ts";
import { type LfsServer, startLfsServer } from "../../fixtures/lfs-server.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

const credentials = { user: "robot", password: "secret-0123456789" };
let mirrored: MirroredRepository;
let source: LfsServer;
let root: string;
const contents = ["content one", Buffer.alloc(3_000_000, "two"), "content three"];
const oids: string[] = [];

beforeAll(async () => {
  source = startLfsServer();
  mirrored = await makeMirroredRepository({ beside: source.beside });
  for (const [index, content] of contents.entries())
    oids.push(await source.commit(mirrored.repository, `${index}.bin`, content));
  await mirrored.run();
});
afterAll(async () => {
  await Promise.all([mirrored[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
});

let target: LfsServer;
let host: Host;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "push-lfs-"));
  target = startLfsServer();
  host = await startHost(root, { push: true, credentials, beside: target.beside });
  await git(["init", "--quiet", "--bare", "--template=", "-b", "main", join(root, "target.git")]);
});

async function push(url: string) {
  const args = ["local", "restore", mirrored.folder, "--push", url];
  const environment = { GIT_HTTP_CREDENTIALS: `${credentials.user}:${credentials.password}` };
  const { events, status, stdout } = await runWorker(environment, { args });
  expect(stdout).not.toContain(credentials.password);
  return { status, event: events.at(-1) };
}
const refs = async () =>
  (await git(["--git-dir", join(root, "target.git"), "for-each-ref"])).toString().split("\n").filter(Boolean);
afterEach(async () => {
  await Promise.all([host.close(), target[Symbol.asyncDispose]()]);
  await rm(root, { recursive: true, force: true });
});

test("the large files of a state go to the host, those that it lacks, before its refs", async () => {
  target.options.takes = true;
  target.options.header = { Authorization: "RemoteAuth of-the-offer" };
  target.objects.set(oids[2] ?? "", Buffer.from("content three"));
  expect(await push(host.url("target"))).toMatchObject({
    status: 0,
    event: { event: "pushed", largeFiles: 2 },
  });
  expect([...target.objects.keys()].sort()).toEqual([...oids].sort());
  expect(target.verified.sort()).toEqual(oids.slice(0, 2).sort());
  // The other host gets what the offer says, and no credentials.
  for (const headers of target.elsewhere)
    expect(headers.get("authorization")).toBe("RemoteAuth of-the-offer");
  expect(await refs()).toHaveLength(1);
  expect(await push(host.url("target"))).toMatchObject({
    event: { event: "pushed", largeFiles: 0, unchanged: 1 },
  });
});

test("where the host takes no large files, no ref is pushed", async () => {
  expect(await push(host.url("target"))).toMatchObject({
    status: 1,
    event: { event: "failed", code: "lfs-refused", message: expect.stringContaining("HTTP status 422") },
  });
  expect(await refs()).toEqual([]);
});

test("to a folder, they are copied", async () => {
  const folder = join(root, "target.git");
  expect(await push(folder)).toMatchObject({ status: 0, event: { event: "pushed", largeFiles: 3 } });
  for (const [index, oid] of oids.entries()) {
    const path = join(folder, largeFileName({ oid }));
    expect(existsSync(path)).toBe(true);
    expect(await readFile(path)).toEqual(Buffer.from(contents[index] ?? ""));
  }
});
