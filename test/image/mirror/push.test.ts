import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../fixtures/certificate.ts";
import { startConnectProxy } from "../../fixtures/connect-proxy.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/damageable-mirror.ts";
import { git } from "../../fixtures/git.ts";
import { type Host, startHost } from "../../fixtures/git-host.ts";
import { type Event, runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(120_000);

const credentials = { user: "robot", password: "p%ss: wörd-0123456789" };
const environment = { GIT_HTTP_CREDENTIALS: `${credentials.user}:${credentials.password}` };

let mirrored: MirroredRepository;
/** Another host, whose repositories are below this folder. */
let root: string;
let host: Host;
/** The commits after each step, from 1: what main and topic are then. */
const commits: { main: string; topic: string }[] = [];

/** Step 2 rewrites main, deletes a branch, and makes another one below its name. */
beforeAll(async () => {
  mirrored = await makeMirroredRepository();
  root = await mkdtemp(join(tmpdir(), "push-"));
  host = await startHost(root, { push: true, credentials });
  const { repository } = mirrored;
  await repository.write("file", "one\n");
  await repository.commit();
  await repository.git("branch", "old");
  await repository.git("branch", "topic");
  await repository.git("tag", "-a", "-m", "One", "v1");
  const step = async () => {
    const [main, topic] = [await repository.head(), await repository.git("rev-parse", "topic")];
    expect(await mirrored.run()).toMatchObject({ status: 0 });
    commits.push({ main, topic });
  };
  await step();
  await repository.git("checkout", "--quiet", "--orphan", "new-main");
  await repository.write("file", "two\n");
  for (const name of ["large-1", "large-2"]) await repository.write(name, randomBytes(3 * 1024 * 1024));
  await repository.commit();
  await repository.git("branch", "--force", "main");
  await repository.git("checkout", "--quiet", "main");
  await repository.git("branch", "--delete", "--force", "new-main", "old");
  await repository.git("branch", "old/below");
  await step();
});
afterAll(async () => {
  await Promise.all([host.close(), mirrored[Symbol.asyncDispose]()]);
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => host.reset());

let targets = 0;
/** An empty bare repository on the other host. */
async function makeTarget() {
  const name = `target-${++targets}`;
  const path = join(root, `${name}.git`);
  await git(["init", "--quiet", "--bare", "--template=", "-b", "main", path]);
  const run = async (...args: string[]) => (await git(["--git-dir", path, ...args])).toString().trim();
  return {
    path,
    url: host.url(name),
    git: run,
    refs: () => run("for-each-ref", "--format=%(objectname) %(refname)"),
  };
}
const refsOfSource = () => mirrored.repository.git("for-each-ref", "--format=%(objectname) %(refname)");

async function push(url: string, ...args: string[]) {
  const ran = await runWorker(environment, {
    args: ["local", "restore", mirrored.mirror.place, "--push", url, ...args],
  });
  expect(ran.left).toEqual([]);
  expect(ran.stderr).toBe("");
  for (const secret of [credentials.password, encodeURIComponent(credentials.password)])
    expect(ran.stdout).not.toContain(secret);
  return { status: ran.status, events: ran.events, event: ran.events.at(-1) as Event };
}

describe("restore --push", () => {
  test("gives an empty repository the refs of a state, then brings it up to date and back", async () => {
    const target = await makeTarget();
    const first = await push(target.url, "--step", "1");
    expect(first).toMatchObject({
      status: 0,
      events: [
        {
          event: "pushed",
          step: 1,
          url: target.url,
          created: 4,
          updated: 0,
          deleted: 0,
          unchanged: 0,
          left: [],
        },
      ],
    });
    expect(first.event.head).toBeNull();
    expect(await target.git("show", "main:file")).toBe("one");
    expect(await target.git("cat-file", "-t", "v1")).toBe("tag");

    const second = await push(target.url);
    expect(second.event).toMatchObject({
      event: "pushed",
      step: 2,
      created: 1,
      updated: 1,
      deleted: 1,
      unchanged: 2,
    });
    expect(await target.refs()).toBe(await refsOfSource());
    await target.git("fsck", "--full");

    host.reset();
    const third = await push(target.url);
    expect(third.event).toMatchObject({ created: 0, updated: 0, deleted: 0, unchanged: 4 });
    expect(
      host.requests.filter(({ method, service }) => method === "POST" && service === "git-receive-pack"),
    ).toEqual([]);

    const back = await push(target.url, "--step", "1");
    expect(back.event).toMatchObject({ event: "pushed", step: 1, created: 1, updated: 1, deleted: 1 });
    expect(await target.git("rev-parse", "main")).toBe(commits[0]?.main ?? "");
    await target.git("fsck", "--full");
  });

  test("leaves refs alone that the mirror never had, and names them, unless --exact deletes them", async () => {
    const target = await makeTarget();
    await push(target.url);
    await target.git("update-ref", "refs/heads/theirs", commits[1]?.main ?? "");
    await target.git("update-ref", "refs/notes/theirs", commits[1]?.main ?? "");
    const { event } = await push(target.url);
    expect(event).toMatchObject({
      event: "pushed",
      deleted: 0,
      left: ["refs/heads/theirs", "refs/notes/theirs"],
    });
    const exact = await push(target.url, "--exact");
    expect(exact.event).toMatchObject({ event: "pushed", deleted: 2, left: [] });
    expect(await target.refs()).toBe(await refsOfSource());
  });

  test("sends only what the repository lacks", async () => {
    const target = await makeTarget();
    await push(target.url);
    // Another branch of the host leads to the same commit, with its large files.
    await target.git("update-ref", "-d", "refs/heads/main");
    host.reset();
    expect((await push(target.url)).event).toMatchObject({ event: "pushed", created: 1, unchanged: 3 });
    expect(host.bytesReceived).toBeLessThan(10_000);
  });

  test("names each ref that the host refuses, and pushes the others", async () => {
    const target = await makeTarget();
    await push(target.url, "--step", "1");
    await target.git("config", "receive.denyNonFastForwards", "true");
    host.options.hiddenToPush = "refs/heads/old";
    const { status, events, event } = await push(target.url);
    expect({ status, events: events.length }).toEqual({ status: 1, events: 1 });
    expect(event).toMatchObject({ event: "failed", code: "refs-differ", step: 2, deleted: 0, created: 0 });
    expect(event.message).toContain("refs/heads/main (non-fast-forward)");
    expect(event.differences).toEqual([
      {
        ref: "refs/heads/main",
        wanted: commits[1]?.main,
        found: commits[0]?.main,
        reason: "non-fast-forward",
      },
      {
        ref: "refs/heads/old/below",
        wanted: commits[1]?.main,
        found: null,
        reason: expect.stringContaining("hidden ref"),
      },
    ]);
    await target.git("config", "receive.denyNonFastForwards", "false");
    host.reset();
    expect(await push(target.url)).toMatchObject({
      status: 0,
      event: { updated: 1, created: 1, deleted: 1 },
    });
  });

  test("says where HEAD leads elsewhere, which no push can change", async () => {
    const target = await makeTarget();
    await target.git("symbolic-ref", "HEAD", "refs/heads/topic");
    const { status, event } = await push(target.url);
    expect(status).toBe(0);
    expect(event.head).toEqual({ wanted: "refs/heads/main", found: "refs/heads/topic" });
  });

  test("changes no ref that somebody else has changed meanwhile, and names it", async () => {
    const target = await makeTarget();
    await push(target.url, "--step", "1");
    host.reset();
    const identity = ["-c", "user.name=T", "-c", "user.email=t@example.com"];
    const args = ["--git-dir", target.path, ...identity, "commit-tree", "-m", "Theirs", "main^{tree}"];
    const other = (await git(args)).toString().trim();
    host.options.before = { request: 2, run: () => target.git("update-ref", "refs/heads/main", other) };
    const { status, event } = await push(target.url);
    expect(status).toBe(1);
    expect(event.differences).toMatchObject([
      { ref: "refs/heads/main", wanted: commits[1]?.main, found: other },
    ]);
    expect(await target.git("rev-parse", "main")).toBe(other);
  });

  test("uses a folder that was restored, and pushes to a folder", async () => {
    const target = await makeTarget();
    const folder = join(root, "replica");
    const { events } = await push(target.path, folder);
    expect(events).toMatchObject([
      { event: "restored", folder },
      { event: "pushed", created: 4 },
    ]);
    expect(await target.refs()).toBe(await refsOfSource());
    expect((await git(["--git-dir", folder, "show", "main:file"])).toString()).toBe("two\n");
  });

  test("fails where the folder that was restored is damaged, and leaves the host as it is", async () => {
    const target = await makeTarget();
    const folder = join(root, "damaged");
    const packs = join(folder, "objects/pack");
    const damage = async (place: (size: number) => number) => {
      await runWorker({}, { args: ["local", "restore", mirrored.mirror.place, folder] });
      for (const name of await readdir(packs)) {
        const content = await readFile(join(packs, name));
        if (name.endsWith(".pack") && content.length > 1024 * 1024)
          await writeFile(
            join(packs, name),
            content.fill(0, place(content.length), place(content.length) + 100),
          );
      }
      return push(target.url, folder);
    };
    // git itself checks no content of a file that it sends as it is stored. The host does.
    const late = await damage((size) => size - 1_000_000);
    expect(late).toMatchObject({ status: 1, event: { event: "failed", code: "git-refused" } });
    expect(late.event.message).toContain("did not take the objects");
    await rm(folder, { recursive: true });
    const early = await damage(() => 100);
    expect(early).toMatchObject({ status: 1, event: { event: "failed", code: "git-failed" } });
    expect(await target.refs()).toBe("");
  });

  test("fails where the host, or what is before it, takes no push of that size", async () => {
    const target = await makeTarget();
    host.options.instead = { request: 2, status: 413 };
    const { event } = await push(target.url);
    expect(event).toMatchObject({ event: "failed", code: "git-refused" });
    expect(event.message).toContain("413");
  });

  test("ends at once with SIGINT, and leaves nothing behind", async () => {
    const target = await makeTarget();
    const asked = Promise.withResolvers<void>();
    host.options.before = {
      request: 2,
      run: async () => {
        asked.resolve();
        await Bun.sleep(60_000);
      },
    };
    const args = ["local", "restore", mirrored.mirror.place, "--push", target.url];
    const running = await startWorker(environment, { args });
    await asked.promise;
    running.process.kill("SIGINT");
    const ended = await running.finished;
    expect(ended).toMatchObject({ status: 130, left: [], events: [{ event: "failed", code: "stopped" }] });
    expect(ended.seconds).toBeLessThan(20);
  });

  test("fails where the host does not let these credentials push, and says what to do", async () => {
    const target = await makeTarget();
    const denied = await runWorker(
      { GIT_HTTP_CREDENTIALS: "robot:wrong-password" },
      { args: ["local", "restore", mirrored.mirror.place, "--push", target.url] },
    );
    expect(denied).toMatchObject({ status: 1, left: [], events: [{ event: "failed", code: "git-denied" }] });
    expect(denied.stdout).not.toContain("wrong-password");
    host.options.push = false;
    const { event } = await push(target.url);
    expect(event).toMatchObject({ event: "failed", code: "git-denied", url: target.url });
    expect(event.remedy).toContain("write to this repository");
    expect((await push(host.url("nowhere"))).event).toMatchObject({ event: "failed", code: "git-not-found" });
    expect(await target.refs()).toBe("");
  });

  test("waits where the host asks for it, and begins again after a connection that broke", async () => {
    const target = await makeTarget();
    Object.assign(host.options, { instead: { request: 1, status: 503 }, retryAfter: "1" });
    expect((await push(target.url, "--step", "1")).event).toMatchObject({ event: "pushed" });
    host.reset();
    host.options.instead = { request: 2, body: (answer) => answer.subarray(0, 20) };
    expect((await push(target.url)).event).toMatchObject({ event: "failed", code: "git-cut-off" });
    // The host had taken it, or not: the next one finds out.
    expect((await push(target.url)).event).toMatchObject({ event: "pushed" });
    expect(await target.refs()).toBe(await refsOfSource());
  });

  test("goes over TLS with a private authority, through a proxy", async () => {
    await using certificate = await makeCertificate({ names: ["git.example"] });
    await using secure = await startHost(root, { push: true, credentials, tls: certificate });
    await using proxy = await startConnectProxy({ host: "127.0.0.1", port: secure.port });
    const target = await makeTarget();
    const url = target.url.replace(/^http:\/\/[^/]*/, "https://git.example");
    const args = ["local", "restore", mirrored.mirror.place, "--push", url];
    const env = { ...environment, HTTPS_PROXY: proxy.url };
    const untrusted = await runWorker(env, { args });
    expect(untrusted.events[0]).toMatchObject({ event: "failed", code: "git-unreachable" });
    const ran = await runWorker({ ...env, GIT_SSL_CAINFO: certificate.ca }, { args });
    expect(ran.events).toMatchObject([{ event: "pushed", created: 4, url }]);
    expect(new Set(proxy.hosts)).toEqual(new Set(["git.example:443"]));
    expect(await target.refs()).toBe(await refsOfSource());
    // Larger than what is sent as a whole.
    expect(
      secure.requests.find(({ method, service }) => method === "POST" && service === "git-receive-pack")
        ?.headers["transfer-encoding"],
    ).toBe("chunked");
  });

  test.each([
    [["PLACE"], /restore is followed by PLACE and DIR, unless --push/],
    [["PLACE", "DIR", "--exact"], /--exact is an option of --push/],
    [["PLACE", "--push"], /--push names no repository/],
    [["PLACE", "--push", "git@host:a/b.git"], /use https:\/\/host\/a\/b.git/],
    [["PLACE", "--push", "https://a:secret@host/b.git"], /contains a password/],
  ])("%p is a mistake", async (args, problem) => {
    const ran = await runWorker({}, { args: ["local", "restore", ...args] });
    expect(ran.status).toBe(2);
    expect(ran.events[0]?.problems.join()).toMatch(problem);
    expect(ran.stdout).not.toContain("secret");
  });
});
