import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectToPush } from "../../../image/fetch/connect.ts";
import { awsIdentity } from "../../../image/host/codecommit.ts";
import { openHosts } from "../../../image/host/hosts.ts";
import { openPushConnection } from "../../../image/host/push-connection.ts";
import type { Transport } from "../../../image/host/transport.ts";
import { git } from "../../fixtures/git.ts";
import { type Host, startHost } from "../../fixtures/git-host.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";

setDefaultTimeout(60_000);

let root: string;
let host: Host;
let source: Repository;
let commit: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "push-connection-"));
  host = await startHost(root, { push: true });
  source = await makeRepository({ path: join(root, "source") });
  await source.write("large", randomBytes(3 * 1024 * 1024));
  commit = await source.commit();
});
afterAll(async () => {
  await host.close();
  await rm(root, { recursive: true, force: true });
});
let target: string;
beforeEach(async () => {
  host.reset();
  target = join(root, "target.git");
  await rm(target, { recursive: true, force: true });
  await git(["init", "--quiet", "--bare", "--template=", target]);
});

const { signal } = new AbortController();
const limits = { concurrency: 8, requestsPerSecond: undefined, longestPauseSeconds: 60 };
const connect = (onProgress?: (line: string) => void) => {
  const network = { hosts: openHosts(limits, undefined), identity: awsIdentity() };
  return connectToPush(
    { url: host.url("target"), transport: "http" },
    undefined,
    network,
    signal,
    onProgress,
  );
};
const packOf = (...ids: string[]) =>
  git(["pack-objects", "-q", "--revs", "--stdout"], { cwd: source.path, input: ids.join("\n") });
async function* inChunks(content: Uint8Array, error?: Error) {
  for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
  if (error) throw error;
}
const create = (name: string) => ({ name, from: null, to: commit });

test("a pack that fails while it is sent is the error, and changes nothing", async () => {
  const pack = await packOf(commit);
  const error = new Error("no more");
  const failed = connect().push([create("refs/heads/main")], () =>
    inChunks(pack.subarray(0, 2 * 1024 * 1024), error),
  );
  expect(await failed.catch((reason) => reason)).toBe(error);
  expect((await connect().refs()).size).toBe(0);
});

test("a pack is sent as a stream, and a short one as a whole", async () => {
  const connection = connect();
  const pack = await packOf(commit);
  expect((await connection.push([create("refs/heads/main")], () => inChunks(pack))).size).toBe(0);
  const short = await packOf(`^${commit}`);
  await connection.refs();
  expect((await connection.push([create("refs/heads/other")], () => inChunks(short))).size).toBe(0);
  const posts = host.requests.filter(({ method }) => method === "POST");
  expect(posts.map(({ headers }) => headers["transfer-encoding"])).toEqual(["chunked", undefined]);
  expect(Object.fromEntries(await connection.refs())).toEqual({
    "refs/heads/main": commit,
    "refs/heads/other": commit,
  });
});

test("a ref that is not what it was stays so, and the others are changed", async () => {
  const pack = await packOf(commit);
  await connect().push([create("refs/heads/main"), create("refs/heads/other")], () => inChunks(pack));
  const connection = connect();
  await connection.refs();
  const updates = [create("refs/heads/main"), { name: "refs/heads/other", from: commit, to: null }];
  const reasons = await connection.push(updates, () => inChunks(pack));
  expect([...reasons.keys()]).toEqual(["refs/heads/main"]);
  expect([...(await connection.refs()).keys()]).toEqual(["refs/heads/main"]);
});

test("what the host says meanwhile is passed on, and its reason for a refusal", async () => {
  await mkdir(join(target, "hooks"));
  await writeFile(join(target, "hooks/update"), "#!/bin/sh\necho not today >&2\nexit 1\n", { mode: 0o755 });
  const lines: string[] = [];
  const pack = await packOf(commit);
  const connection = connect((line) => lines.push(line));
  const reasons = await connection.push([create("refs/heads/main")], () => inChunks(pack));
  expect(lines).toContain("remote: not today");
  expect(Object.fromEntries(reasons)).toEqual({ "refs/heads/main": "hook declined" });
});

const packet = (text: string) => (text.length + 4).toString(16).padStart(4, "0") + text;

/** Answers as a host of these capabilities would. */
function scripted(capabilities: string, report: string): { transport: Transport; sent: string[] } {
  const sent: string[] = [];
  const stream = async function* (text: string) {
    yield Buffer.from(text);
  };
  const transport: Transport = {
    advertise: async () =>
      stream(
        `${packet("# service=git-receive-pack\n")}0000${packet(`${commit} refs/heads/old\0${capabilities}\n`)}${packet(`${commit} .have\n`)}0000`,
      ),
    post: async (body) => {
      const chunks = body instanceof Uint8Array ? [body] : await Array.fromAsync(body);
      sent.push(Buffer.concat(chunks).toString("latin1"));
      return stream(report);
    },
    redact: (text) => text.replaceAll("secret", "***"),
  };
  return { transport, sent };
}

test("a host that deletes no refs is not asked to, and what it says is redacted", async () => {
  const report = `${packet("unpack ok\n")}${packet("ng refs/heads/new the secret rule\n")}0000`;
  const { transport, sent } = scripted("report-status", report);
  const connection = openPushConnection(transport, signal, undefined);
  expect([...(await connection.refs()).keys()]).toEqual(["refs/heads/old"]);
  const reasons = await connection.push(
    [{ name: "refs/heads/old", from: commit, to: null }, create("refs/heads/new")],
    () => inChunks(Buffer.from("PACK")),
  );
  expect(Object.fromEntries(reasons)).toEqual({
    "refs/heads/old": "the host deletes no refs",
    "refs/heads/new": "the *** rule",
  });
  expect(sent[0]).not.toContain("refs/heads/old");
  expect(sent[0]).toEndWith("0000PACK");
});

test("deletions alone come without a pack", async () => {
  const { transport, sent } = scripted(
    "report-status delete-refs",
    `${packet("unpack ok\n")}${packet("ok refs/heads/old\n")}0000`,
  );
  const connection = openPushConnection(transport, signal, undefined);
  const made: boolean[] = [];
  await connection.push([{ name: "refs/heads/old", from: commit, to: null }], (offsets) => {
    made.push(offsets);
    return inChunks(Buffer.from("PACK"));
  });
  expect(made).toEqual([]);
  expect(sent[0]).toMatch(/refs\/heads\/old\0 report-status agent=\S+0000$/);
});

test("an answer that ends too early, or says that the objects were not taken, is an error", async () => {
  const push = (report: string) =>
    openPushConnection(scripted("report-status", report).transport, signal, undefined).push(
      [create("refs/heads/new")],
      () => inChunks(Buffer.from("PACK")),
    );
  await expect(push(packet("unpack ok\n"))).rejects.toMatchObject({ code: "git-cut-off" });
  await expect(push(`${packet("unpack no secret space\n")}0000`)).rejects.toMatchObject({
    code: "git-refused",
    message: expect.stringContaining("no *** space"),
  });
});
