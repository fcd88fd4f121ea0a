import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { git, tryGit } from "./git.ts";
import { type Host, startHost } from "./host.ts";
import { makeRepository, type Repository } from "./repository.ts";

const noise = randomBytes(300_000);
let root: string;
let repository: Repository;
let host: Host;
let url: string;
let commits: string[];
let lost: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "host-"));
  repository = await makeRepository({ path: join(root, "group", "work") });
  await repository.write("noise", noise);
  commits = [];
  for (const content of ["one", "two", "three", "four"]) {
    await repository.write("file", content);
    commits.push(await repository.commit(content));
  }
  await repository.write("file", "lost");
  lost = await repository.commit("Rewritten");
  await repository.git("reset", "--quiet", "--hard", "HEAD~1");
  await git(["clone", "--quiet", "--bare", repository.path, join(root, "bare.git")]);
  host = await startHost(root);
  url = host.url("group/work");
});
afterAll(async () => {
  await host.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => host.reset());

/** Runs git in an empty bare repository of its own; what it says is reported where the test asks for it. */
async function inEmpty(args: string[], env: Record<string, string> = {}) {
  const folder = await mkdtemp(join(root, "client-"));
  await git(["init", "--quiet", "--bare", "--template=", folder]);
  const outcome = await tryGit(args, { cwd: folder, env });
  if (process.env.SHOW_STDERR && outcome.stderr)
    console.log(args.join(" "), "=>", outcome.status, outcome.stderr);
  const count = async (type: string) => {
    const all = await git(["cat-file", "--batch-check", "--batch-all-objects"], { cwd: folder });
    return all.toString().split(` ${type} `).length - 1;
  };
  const shallow = await readFile(join(folder, "shallow"), "utf8").catch(() => "");
  return { ...outcome, count, shallow: shallow.split("\n").filter(Boolean) };
}
const fetchOf = (...args: string[]) => inEmpty(["fetch", "--quiet", ...args]);

describe.each([2, 0] as const)("protocol %d", (protocol) => {
  beforeEach(() => {
    host.options.protocol = protocol;
  });

  test("serves repositories with and without a work tree, whole", async () => {
    for (const name of ["group/work", "bare", "bare.git"]) {
      const { status, count } = await fetchOf(host.url(name), "main");
      expect(status).toBe(0);
      expect(await count("commit")).toBe(4);
    }
    expect(host.bytesSent).toBeGreaterThan(3 * noise.length);
    expect(host.bytesReceived).toBeGreaterThan(500);
    const [advertisement, ...rest] = host.requests;
    expect(advertisement).toMatchObject({ method: "GET", query: "service=git-upload-pack", status: 200 });
    expect(rest.at(-1)).toMatchObject({
      method: "POST",
      path: "/bare.git/git-upload-pack",
      service: "git-upload-pack",
    });
  });

  test("speaks the protocol it is told to", async () => {
    const { stderr } = await inEmpty(["ls-remote", url], { GIT_TRACE_PACKET: "1" });
    expect(stderr.includes("< version 2")).toBe(protocol === 2);
  });

  test("takes a filter, or knows none", async () => {
    const blobless = ["--depth=1", "--filter=blob:none", url, "main"];
    expect(await (await fetchOf(...blobless)).count("blob")).toBe(0);
    host.options.filter = false;
    const ignored = await fetchOf(...blobless);
    expect(ignored.status).toBe(0);
    expect(ignored.stderr).toContain("warning: filtering not recognized by server, ignoring\n");
    expect(await ignored.count("blob")).toBe(2);
  });

  test("serves two commits by id, one of them on no branch", async () => {
    const { status, count, shallow } = await fetchOf("--depth=1", url, lost, commits[1] ?? "");
    expect(status).toBe(0);
    expect(await count("commit")).toBe(2);
    expect(shallow.toSorted()).toEqual([lost, commits[1] ?? ""].toSorted());
  });

  test("obeys a depth, or sends all there is", async () => {
    expect(await (await fetchOf("--depth=1", url, "main")).count("commit")).toBe(1);
    host.options.depth = "ignore";
    const { status, stderr, count, shallow } = await fetchOf("--depth=1", url, "main");
    expect({ status, stderr, shallow }).toEqual({ status: 0, stderr: "", shallow: [] });
    expect(await count("commit")).toBe(4);
  });

  test("knows no depth", async () => {
    host.options.depth = "unsupported";
    const { status, stderr } = await fetchOf("--depth=1", url, "main");
    expect(status).toBe(128);
    expect(stderr).toContain(
      protocol === 2
        ? "fatal: Server does not support shallow requests"
        : "fatal: Server does not support shallow clients",
    );
    expect((await fetchOf(url, "main")).status).toBe(0);
  });

  test("knows a depth, but no date to deepen to", async () => {
    const since = ["--shallow-since=2024-06-01T00:01:30Z", url, "main"];
    expect(await (await fetchOf(...since)).count("commit")).toBe(2);
    host.options.since = false;
    const { status, stderr } = await fetchOf(...since);
    expect(status).toBe(128);
    expect(stderr).toContain(
      protocol === 2
        ? "fatal: remote error: deepen-since is not supported"
        : "fatal: Server does not support --shallow-since",
    );
    expect((await fetchOf("--depth=1", url, "main")).status).toBe(0);
  });

  test("understands gzip when it looks into a request", async () => {
    host.options.depth = "ignore";
    for (let each = 0; each < 30; each++)
      await repository.git("branch", `many-${each}`, commits[each % 4] ?? "");
    const { status, count } = await fetchOf("--depth=1", url, "refs/heads/*:refs/heads/*", ...commits, lost);
    await repository.git(
      "branch",
      "--quiet",
      "-D",
      ...Array.from({ length: 30 }, (_, each) => `many-${each}`),
    );
    expect(status).toBe(0);
    expect(await count("commit")).toBe(5);
    expect(host.requests.some(({ headers }) => headers["content-encoding"] === "gzip")).toBe(true);
  });
});

describe("protocol 0", () => {
  beforeEach(() => {
    host.options.protocol = 0;
  });

  test("refuses a commit that no ref shows", async () => {
    host.options.unadvertised = false;
    const { status, stderr } = await fetchOf("--depth=1", url, lost);
    expect(status).toBe(128);
    expect(stderr).toContain(`error: Server does not allow request for unadvertised object ${lost}`);
    expect((await fetchOf("--depth=1", url, commits[3] ?? "")).status).toBe(0);
  });

  test("allows what refs reach, but nothing that was lost", async () => {
    host.options.tipOnly = true;
    const { status, stderr } = await fetchOf("--depth=1", url, lost);
    expect(status).toBe(128);
    expect(stderr).toContain(`fatal: remote error: upload-pack: not our ref ${lost}`);
    expect((await fetchOf("--depth=1", url, commits[3] ?? "")).status).toBe(0);
    // Over HTTP a server cannot know what it advertised a moment ago, so git lets reachable commits pass.
    expect((await fetchOf("--depth=1", url, commits[1] ?? "")).status).toBe(0);
  });
});

test("takes a request of many bytes in chunks", async () => {
  const blobs = Array.from(
    { length: 2000 },
    (_, each) => `blob\nmark :${each + 1}\ndata 4\n${1000 + each}\n`,
  );
  await repository.gitBytes(["fast-import", "--quiet", "--export-marks=../marks"], blobs.join(""));
  const marks = await readFile(join(repository.path, "..", "marks"), "utf8");
  const ids = marks
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  const { status, count } = await inEmpty(["-c", "http.postBuffer=66000", "fetch", "--quiet", url, ...ids]);
  expect(status).toBe(0);
  expect(await count("blob")).toBe(2000);
  expect(host.requests.some(({ headers }) => headers["transfer-encoding"] === "chunked")).toBe(true);
  expect(host.bytesReceived).toBeGreaterThan(2000 * 40);
});

describe("who may come in", () => {
  const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString("base64")}`;
  const lsRemote = (header?: string) =>
    inEmpty([...(header ? ["-c", `http.extraHeader=${header}`] : []), "ls-remote", url]);

  test("exactly one user and password", async () => {
    host.options.credentials = { user: "me", password: "s3cret" };
    const { status, stderr } = await lsRemote();
    expect(status).toBe(128);
    expect(stderr).toContain("fatal: could not read Username for");
    expect((await lsRemote(basic("me:s3cret"))).status).toBe(0);
    expect((await lsRemote(basic("me:secret"))).status).toBe(128);
    expect(host.requests.map((each) => each.status)).toEqual([401, 200, 200, 401]);
  });

  test("credentials that git is asked for", async () => {
    host.options.credentials = { user: "me", password: "s3cret" };
    const helper = "credential.helper=!f() { echo username=me; echo password=s3cret; }; f";
    expect((await inEmpty(["-c", helper, "ls-remote", url])).status).toBe(0);
    const other = helper.replace("s3cret", "no");
    const { status, stderr } = await inEmpty(["-c", other, "ls-remote", url]);
    expect(status).toBe(128);
    expect(stderr).toContain(`remote: refused: ${basic("me:no").split(": ")[1]}`);
    expect(stderr).toContain(`fatal: Authentication failed for '${url}/'`);
    expect(host.requests.map((each) => each.status)).toEqual([401, 200, 200, 401, 401]);
  });

  test("any other check", async () => {
    host.options.authorize = ({ headers }) => headers.authorization === "Signed yes";
    expect((await lsRemote("Authorization: Signed yes")).status).toBe(0);
    const { status, stderr } = await lsRemote("Authorization: Signed no");
    expect(status).toBe(128);
    expect(stderr).toContain("remote: refused: Signed no");
    expect(stderr).toContain("The requested URL returned error: 403");
    expect((await lsRemote()).stderr).toContain("could not read Username");
  });
});

describe("what can go wrong", () => {
  test("no such repository", async () => {
    const { status, stderr } = await fetchOf(host.url("nothing"), "main");
    expect(status).toBe(128);
    expect(stderr).toContain(`fatal: repository '${host.url("nothing")}/' not found`);
    expect((await fetchOf(host.url("group/../../etc"), "main")).status).toBe(128);
  });

  test.each([403, 404, 429, 500, 503])("status %d", async (code) => {
    host.options.status = code;
    const { status, stderr } = await fetchOf(url, "main");
    expect(status).toBe(128);
    expect(stderr).toContain(code === 404 ? "not found" : `The requested URL returned error: ${code}`);
  });

  test("a redirect", async () => {
    host.options.redirect = ({ pathname, search }) =>
      pathname.startsWith("/old.git") ? url + pathname.slice("/old.git".length) + search : undefined;
    const { status, stderr } = await inEmpty(["fetch", host.url("old"), "main"]);
    expect(status).toBe(0);
    expect(stderr).toContain(`warning: redirecting to ${url}/`);
    const refused = await inEmpty([
      "-c",
      "http.followRedirects=false",
      "fetch",
      "--quiet",
      host.url("old"),
      "main",
    ]);
    expect(refused.status).toBe(128);
    expect(refused.stderr).toContain("The requested URL returned error: 301");
  });

  test("an answer cut off", async () => {
    host.options.protocol = 0;
    host.options.cutAfterBytes = 100_000;
    const { status, stderr } = await fetchOf(url, "main");
    expect(status).toBe(128);
    expect(stderr).toContain("transfer closed with outstanding read data remaining");
    expect(host.bytesSent).toBeLessThan(102_000);
  });

  test("a host that takes its time, or for ever", async () => {
    host.options.delayMs = 300;
    const started = performance.now();
    expect((await inEmpty(["ls-remote", url])).status).toBe(0);
    expect(performance.now() - started).toBeGreaterThan(300);
    host.options.hang = true;
    const patience = ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=1"];
    const { status, stderr } = await inEmpty([...patience, "ls-remote", url]);
    expect(status).toBe(128);
    expect(stderr).toContain("Operation too slow. Less than 1 bytes/sec transferred the last 1 seconds");
  });

  test("close() ends what still runs", async () => {
    await using other = await startHost(root, { hang: true });
    const waiting = inEmpty(["ls-remote", other.url("bare")]);
    while (other.requests.length === 0) await Bun.sleep(5);
    await other.close();
    expect((await waiting).status).toBe(128);
  });
});

test("an answer is neither held in memory nor sent ahead of a slow client", async () => {
  await using big = await makeRepository({ path: join(root, "big") });
  await big.git("config", "core.bigFileThreshold", "1m");
  for (const name of ["a", "b"]) await big.write(name, randomBytes(40_000_000));
  await big.commit();
  host.options.protocol = 0;
  const head = await big.head();
  const body = `0032want ${head}\n00000009done\n`;
  const answer = await fetch(`${host.url("big")}/git-upload-pack`, {
    method: "POST",
    body,
    headers: { "Content-Type": "application/x-git-upload-pack-request" },
  });
  const reader = answer.body?.getReader();
  await reader?.read();
  while (host.bytesSent < 500_000) await Bun.sleep(10);
  await Bun.sleep(500);
  // What the sockets and the pipes in between take, and no more.
  expect(host.bytesSent).toBeLessThan(30_000_000);
  while (!(await reader?.read())?.done);
  expect(host.bytesSent).toBeGreaterThan(80_000_000);
}, 20_000);
