import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, makeCertificate } from "../../fixtures/certificate.ts";
import { startConnectProxy } from "../../fixtures/connect-proxy.ts";
import { type Host, startHost } from "../../fixtures/git-host.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import { type Running, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(30_000);
const credentials = { user: "büro@example.com", password: `p:@/%|&"'$\`\\ ß-${"x".repeat(8)}` };
const pair = `${credentials.user}:${credentials.password}`;
const GIT_HTTP_CREDENTIALS = pair;

/** The password as it is, and in every form in which it might be written down. */
const forms = [
  credentials.password,
  encodeURIComponent(credentials.password),
  encodeURI(credentials.password),
  JSON.stringify(credentials.password).slice(1, -1),
  Buffer.from(credentials.password).toString("latin1"),
  Buffer.from(pair).toString("base64"),
  Buffer.from(pair).toString("base64url"),
  Buffer.from(credentials.password).toString("base64"),
  Buffer.from(pair).toString("hex"),
];
const revealed = (text: string) => forms.filter((form) => text.includes(form));

let testbed: Testbed;
let small: Repository;
beforeAll(async () => {
  testbed = await openTestbed();
  small = await testbed.repository("small");
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

/** Everything that others could read while the worker runs: the files it writes, and what processes are called. */
async function watch(running: Running): Promise<{ files: Map<string, string>; commands: Set<string> }> {
  const files = new Map<string, string>();
  const commands = new Set<string>();
  const look = async (path: string) => readFile(path, "utf8").catch(() => "");
  while (running.process.exitCode === null) {
    const names = await readdir(running.temporary, { recursive: true }).catch(() => []);
    for (const name of names) {
      const text = await look(join(running.temporary, name));
      if (text !== "") files.set(`${name} ${text.length}`, text);
    }
    for (const id of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)))
      commands.add(await look(`/proc/${id}/cmdline`));
    await Bun.sleep(5);
  }
  return { files, commands };
}

async function stored({ bucket, parameter }: Target): Promise<string[]> {
  const keys = await testbed.aws.objects(bucket);
  const bodies = await Promise.all(
    keys.map(async (key) => Buffer.from(await testbed.aws.body(bucket, key)).toString()),
  );
  const metadata = await Promise.all(keys.map((key) => testbed.aws.metadata(bucket, key)));
  return [...keys, ...bodies, JSON.stringify([metadata, await testbed.aws.parameter(parameter)])];
}

describe("nothing secret is to be seen", () => {
  test.each([
    ["a run that collects", {}, "collected"],
    ["one that is denied by a host that repeats the credentials", { authorize: () => false }, "git-denied"],
    ["one whose host has an error", { status: 502 }, "git-unreachable"],
    ["one that is cut off", { cutAfterBytes: 100 }, "git-cut-off"],
  ])("%s", async (_, options, end) => {
    const target = await testbed.target(small);
    Object.assign(testbed.host.options, { credentials, delayMs: 60, ...options });
    const running = await startWorker({ ...target.environment, GIT_HTTP_CREDENTIALS });
    const { files, commands } = await watch(running);
    const ran = await running.finished;
    const [first] = ran.events;
    expect(first?.code ?? first?.event).toBe(end);
    expect(testbed.host.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from(pair).toString("base64")}`,
    );
    if (end === "collected") await target.expectCollected();
    else await target.expectUntouched();

    if (end === "collected") expect([...files.keys()].join()).toContain("config");
    const seen = [ran.stdout, ran.stderr, ...files.keys(), ...files.values(), ...commands];
    for (const text of [...seen, ...(await stored(target))]) expect(revealed(text)).toEqual([]);
  });

  test("wrong variables are reported without their values", async () => {
    const target = await testbed.target(small);
    const url = new URL(target.environment.GIT_REPO ?? "");
    url.password = credentials.password;
    const values: Record<string, string>[] = [
      { GIT_REPO: url.href },
      { GIT_HTTP_CREDENTIALS: credentials.password.replaceAll(":", "") },
      { GIT_HTTP_CREDENTIALS: `${pair}\nx` },
    ];
    for (const environment of values) {
      const ran = await target.run(environment);
      expect(ran.status).toBe(2);
      expect(ran.stdout + ran.stderr).not.toContain("x".repeat(8));
    }
    expect(testbed.host.requests).toEqual([]);
    await target.expectUntouched();
  });
});

describe("a redirect to another host", () => {
  let other: Host;
  beforeAll(async () => {
    other = await startHost(testbed.root);
  });
  afterAll(() => other.close());
  beforeEach(() => {
    other.reset();
    testbed.host.options.redirect = ({ pathname, search }) => `${other.origin}${pathname}${search}`;
  });

  test("takes no credentials there", async () => {
    const target = await testbed.target(small);
    await target.expectFailed(await target.run({ GIT_HTTP_CREDENTIALS }), "git-moved");
    expect(testbed.host.requests[0]?.headers.authorization).toBeDefined();
    expect(other.requests).toEqual([]);
  });

  test("is followed where there are none", async () => {
    const target = await testbed.target(small);
    expect((await target.run()).status).toBe(0);
    expect(other.requests.length).toBeGreaterThan(2);
    await target.expectCollected();
  });
});

describe("https", () => {
  let certificate: Certificate;
  let secure: Host;
  beforeAll(async () => {
    certificate = await makeCertificate({ names: ["127.0.0.1", "git.example"] });
    secure = await startHost(testbed.root, { tls: certificate, credentials });
  });
  afterAll(() => Promise.all([secure.close(), certificate.close()]));
  beforeEach(() => secure.reset());

  test("with a private authority that is named", async () => {
    const target = await testbed.target(small);
    const GIT_SSL_CAINFO = certificate.ca;
    const ran = await target.run({ GIT_REPO: secure.url("small"), GIT_HTTP_CREDENTIALS, GIT_SSL_CAINFO });
    expect(ran.status).toBe(0);
    await target.expectCollected();
  });

  test("with one that is not", async () => {
    const target = await testbed.target(small);
    const url = secure.url("small");
    const ran = await target.run({ GIT_REPO: url, GIT_HTTP_CREDENTIALS });
    await target.expectFailed(ran, "git-unreachable", "certificate", url);
    expect(ran.events[0]?.remedy).toContain("GIT_SSL_CAINFO");
    expect(secure.requests).toEqual([]);
  });

  const runThrough = async (target: Target, port: number, credentials: string) =>
    target.run({
      GIT_REPO: "https://git.example/small.git",
      GIT_HTTP_CREDENTIALS,
      GIT_SSL_CAINFO: certificate.ca,
      HTTPS_PROXY: `http://${credentials}@127.0.0.1:${port}`,
      NO_PROXY: "127.0.0.1",
    });

  test("through a proxy, which learns nothing but the host", async () => {
    await using proxy = await startConnectProxy({ host: "127.0.0.1", port: secure.port }, "ann:of the proxy");
    const target = await testbed.target(small);
    const ran = await runThrough(target, proxy.port, "ann:of%20the%20proxy");
    expect(ran.status).toBe(0);
    expect(new Set(proxy.hosts)).toEqual(new Set(["git.example:443"]));
    expect(revealed(proxy.heads.join())).toEqual([]);
    await target.expectCollected();
  });

  test("not through a proxy that refuses the password, which no message repeats", async () => {
    await using proxy = await startConnectProxy({ host: "127.0.0.1", port: secure.port }, "ann:right");
    const target = await testbed.target(small);
    const ran = await runThrough(target, proxy.port, "ann:wrong-one");
    const url = "https://git.example/small.git";
    await target.expectFailed(ran, "git-unreachable", "proxy refused", url);
    expect(ran.stdout).not.toContain("wrong-one");
    expect(secure.requests).toEqual([]);
  });
});
