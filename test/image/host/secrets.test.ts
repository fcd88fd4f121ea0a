import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, makeCertificate } from "../../fixtures/certificate.ts";
import { startConnectProxy } from "../../fixtures/connect-proxy.ts";
import { type Host, startHost } from "../../fixtures/git-host.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openWorld, type Place, type World } from "../../fixtures/testbed.ts";
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

let world: World;
let small: Repository;
beforeAll(async () => {
  world = await openWorld();
  small = await world.repository("small");
});
afterAll(() => world.close());
beforeEach(() => world.reset());

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

async function stored({ bucket, parameter }: Place): Promise<string[]> {
  const keys = await world.aws.objects(bucket);
  const bodies = await Promise.all(
    keys.map(async (key) => Buffer.from(await world.aws.body(bucket, key)).toString()),
  );
  const metadata = await Promise.all(keys.map((key) => world.aws.metadata(bucket, key)));
  return [...keys, ...bodies, JSON.stringify([metadata, await world.aws.parameter(parameter)])];
}

describe("nothing secret is to be seen", () => {
  test.each([
    ["a run that collects", {}, "collected"],
    ["a denied one, of a host that says back what it was told", { authorize: () => false }, "git-denied"],
    ["one that finds the host ill", { status: 500 }, "git-unreachable"],
    ["one that is cut off", { cutAfterBytes: 100 }, "git-cut-off"],
  ])("%s", async (_, options, end) => {
    const place = await world.place(small);
    Object.assign(world.host.options, { credentials, delayMs: 60, ...options });
    const running = await startWorker({ ...place.environment, GIT_HTTP_CREDENTIALS });
    const { files, commands } = await watch(running);
    const ran = await running.finished;
    const [first] = ran.events;
    expect(first?.code ?? first?.event).toBe(end);
    expect(world.host.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from(pair).toString("base64")}`,
    );
    if (end === "collected") await place.expectCollected();
    else await place.expectUntouched();

    expect([...files.keys()].join()).toContain("config");
    expect([...commands].join()).toMatch(/git.*remote-http/);
    const seen = [ran.stdout, ran.stderr, ...files.keys(), ...files.values(), ...commands];
    for (const text of [...seen, ...(await stored(place))]) expect(revealed(text)).toEqual([]);
  });

  test("and wrong variables are told without their values", async () => {
    const place = await world.place(small);
    const url = new URL(place.environment.GIT_REPO ?? "");
    url.password = credentials.password;
    const values: Record<string, string>[] = [
      { GIT_REPO: url.href },
      { GIT_HTTP_CREDENTIALS: credentials.password.replaceAll(":", "") },
      { GIT_HTTP_CREDENTIALS: `${pair}\nx` },
    ];
    for (const environment of values) {
      const ran = await place.run(environment);
      expect(ran.status).toBe(2);
      expect(ran.stdout + ran.stderr).not.toContain("x".repeat(8));
    }
    expect(world.host.requests).toEqual([]);
    await place.expectUntouched();
  });
});

describe("a redirect to another host", () => {
  let other: Host;
  beforeAll(async () => {
    other = await startHost(world.root);
  });
  afterAll(() => other.close());
  beforeEach(() => {
    other.reset();
    world.host.options.redirect = ({ pathname, search }) => `${other.origin}${pathname}${search}`;
  });

  test("takes no credentials there", async () => {
    const place = await world.place(small);
    await place.expectFailed(await place.run({ GIT_HTTP_CREDENTIALS }), "git-moved");
    expect(world.host.requests[0]?.headers.authorization).toBeDefined();
    expect(other.requests).toEqual([]);
  });

  test("is followed where there are none", async () => {
    const place = await world.place(small);
    expect((await place.run()).status).toBe(0);
    expect(other.requests.length).toBeGreaterThan(2);
    await place.expectCollected();
  });
});

describe("https", () => {
  let certificate: Certificate;
  let secure: Host;
  beforeAll(async () => {
    certificate = await makeCertificate({ names: ["127.0.0.1", "git.example"] });
    secure = await startHost(world.root, { tls: certificate, credentials });
  });
  afterAll(() => Promise.all([secure.close(), certificate.close()]));
  beforeEach(() => secure.reset());

  test("with a private authority that is named", async () => {
    const place = await world.place(small);
    const GIT_SSL_CAINFO = certificate.ca;
    const ran = await place.run({ GIT_REPO: secure.url("small"), GIT_HTTP_CREDENTIALS, GIT_SSL_CAINFO });
    expect(ran.status).toBe(0);
    await place.expectCollected();
  });

  test("with one that is not", async () => {
    const place = await world.place(small);
    const url = secure.url("small");
    const ran = await place.run({ GIT_REPO: url, GIT_HTTP_CREDENTIALS });
    await place.expectFailed(ran, "git-unreachable", "certificate", url);
    expect(ran.events[0]?.remedy).toContain("GIT_SSL_CAINFO");
    expect(secure.requests).toEqual([]);
  });

  test("through a proxy, which learns nothing but the host", async () => {
    await using proxy = await startConnectProxy({ host: "127.0.0.1", port: secure.port });
    const place = await world.place(small);
    const ran = await place.run({
      GIT_REPO: "https://git.example/small.git",
      GIT_HTTP_CREDENTIALS,
      GIT_SSL_CAINFO: certificate.ca,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: "127.0.0.1",
    });
    expect(ran.status).toBe(0);
    expect(new Set(proxy.hosts)).toEqual(new Set(["git.example:443"]));
    expect(revealed(proxy.heads.join())).toEqual([]);
    await place.expectCollected();
  });
});
