import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { type Certificate, makeCertificate } from "../../fixtures/certificate.ts";
import { type ConnectProxy, startConnectProxy } from "../../fixtures/connect-proxy.ts";
import { type GitHub, makeApp, startGitHub } from "../../fixtures/github.ts";
import { errorPacket } from "../../fixtures/packets.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import type { Ran } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

const app = makeApp();
const credentials = `github-app:${app.id}:${app.pem}`;
let testbed: Testbed;
let certificate: Certificate;
let github: GitHub;
let proxy: ConnectProxy;
let api: Repository;
beforeAll(async () => {
  const names = [
    "github.com",
    "api.github.com",
    "acme.ghe.com",
    "api.acme.ghe.com",
    "git.example",
    "127.0.0.1",
  ];
  certificate = await makeCertificate({ names });
  testbed = await openTestbed();
  github = await startGitHub(app, certificate, testbed.host.origin);
  proxy = await startConnectProxy({ host: "127.0.0.1", port: github.port });
  api = await testbed.repository("acme/api");
  for (const name of ["acme/web", "other/tool"]) await testbed.repository(name);
});
afterAll(async () => {
  await proxy.close();
  await github[Symbol.asyncDispose]();
  await Promise.all([testbed.close(), certificate.close()]);
});
beforeEach(() => {
  testbed.reset();
  Object.assign(github, {
    installations: { acme: {}, other: {} },
    tokenMinutes: 60,
    mostAtOnce: 0,
    instead: undefined,
  });
  github.requests.length = 0;
  github.tokens.clear();
  proxy.hosts.length = 0;
  proxy.heads.length = 0;
  testbed.host.options.authorize = ({ path, headers }) => {
    const [user, token = ""] = Buffer.from(String(headers.authorization).replace("Basic ", ""), "base64")
      .toString()
      .split(":");
    return user === "x-access-token" && github.tokens.get(token) === path.split("/")[1];
  };
});

const run = (target: Target, url: string, more: Record<string, string> = {}): Promise<Ran> =>
  target.run({
    GIT_REPO: url,
    GIT_HTTP_CREDENTIALS: credentials,
    GIT_SSL_CAINFO: certificate.ca,
    HTTPS_PROXY: proxy.url,
    NO_PROXY: "127.0.0.1",
    ...more,
  });
const runMany = (
  target: Target,
  urls: readonly string[],
  more: Record<string, string> = {},
): Promise<Ran> => {
  const entries = urls.map((gitRepo, index) => ({
    gitRepo,
    parameterName: `${target.parameter}-${index}`,
    resultsBucket: `${target.bucket}/${index}`,
    gitHttpCredentials: "APP",
  }));
  const single = { GIT_HTTP_CREDENTIALS: "", PARAMETER_NAME: "", RESULTS_BUCKET: "" };
  return run(target, "", { ...single, APP: credentials, REPOSITORIES: JSON.stringify(entries), ...more });
};

/** Returns the secrets that a text contains. */
const revealed = (...texts: string[]): string[] => {
  const [, first = "", second = ""] = app.pem.split("\n");
  const jwts = github.requests.map(({ authorization }) => authorization.replace("Bearer ", ""));
  const tokens = [...github.tokens.keys()];
  const basic = tokens.map((token) => Buffer.from(`x-access-token:${token}`).toString("base64"));
  const secrets = [first, second, ...jwts, ...tokens, ...basic].filter((secret) => secret !== "");
  return secrets.filter((secret) => texts.some((text) => text.includes(secret)));
};
const codesOf = ({ events }: Ran) => events.map(({ event, code }) => code ?? event);

describe("a run signs in with a token", () => {
  test.each([
    ["https://github.com/acme/api.git", "api.github.com", "api.github.com"],
    ["https://acme.ghe.com/acme/api", "api.acme.ghe.com", "api.acme.ghe.com"],
    ["https://git.example/acme/api.git", "git.example", "git.example/api/v3"],
  ])("of %s", async (url, host, base) => {
    const target = await testbed.target(api);
    const before = Date.now() / 1_000;
    const ran = await run(target, url);
    expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
    await target.expectCollected();
    expect(github.requests.map(({ line, body }) => [line, body])).toEqual([
      [`GET ${base}/repos/acme/api/installation`, undefined],
      [`POST ${base}/app/installations/1000/access_tokens`, { permissions: { contents: "read" } }],
    ]);
    for (const { claims } of github.requests) {
      expect(claims?.iss).toBe(app.id);
      expect(before - (claims?.iat ?? 0)).toBeWithin(55, 62);
      expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBeLessThanOrEqual(600);
    }
    expect(testbed.host.requests.length).toBeGreaterThan(2);
    expect(testbed.host.requests.filter(({ headers }) => /Bearer/.test(headers.authorization ?? ""))).toEqual(
      [],
    );
    expect(new Set(proxy.hosts)).toEqual(new Set([`${new URL(url).host}:443`, `${host}:443`]));
    expect(revealed(ran.stdout, proxy.heads.join())).toEqual([]);
  });

  test("that is shared by the repositories of an owner, and requested one at a time", async () => {
    const target = await testbed.target(api);
    const names = ["acme/api", "acme/web", "other/tool", "acme/web.git"];
    const urls = names.map((name) => `https://github.com/${name}`);
    const ran = await runMany(target, urls);
    expect(ran.events.at(-1)).toMatchObject({ event: "summary", collected: 4, failures: 0 });
    expect(github.requests).toHaveLength(4);
    expect(github.mostAtOnce).toBe(1);
    expect([...github.tokens.values()].sort()).toEqual(["acme", "other"]);
    expect(revealed(ran.stdout)).toEqual([]);
  });

  test("that is renewed five minutes before its end, and not earlier", async () => {
    const last = await testbed.target(api);
    github.tokenMinutes = 4.9;
    expect(await run(last, "https://github.com/acme/api")).toMatchObject({ status: 0 });
    expect(github.tokens.size).toBe(testbed.host.requests.length);
    await last.expectCollected();
    github.tokens.clear();
    github.tokenMinutes = 6;
    expect(await run(await testbed.target(api), "https://github.com/acme/api")).toMatchObject({ status: 0 });
    expect(github.tokens.size).toBe(1);
  });

  test("while GitHub's API has asked for a pause, the run waits", async () => {
    let pauses = 0;
    github.instead = () =>
      ++pauses === 1 ? new Response("busy", { status: 429, headers: { "Retry-After": "1" } }) : undefined;
    const target = await testbed.target(api);
    const ran = await runMany(target, ["https://github.com/acme/api", "https://github.com/acme/web"]);
    expect(ran.events.at(-1)).toMatchObject({ collected: 2, failures: 0 });
    expect(github.requests).toHaveLength(3);
    expect(ran.seconds).toBeGreaterThan(1);
    // Each repository began twice at most.
    expect(testbed.aws.calls.filter(({ operation }) => /^GetParameter/.test(operation)).length).toBeLessThan(
      5,
    );
  });

  const forms: [string, (pem: string) => string][] = [
    ["blanks for line breaks", (pem) => pem.replaceAll("\n", " ").trim()],
    ["\\n for line breaks", (pem) => pem.replaceAll("\n", "\\n")],
    ["Windows line breaks", (pem) => pem.replaceAll("\n", "\r\n")],
    ["PKCS #8", (pem) => createPrivateKey(pem).export({ type: "pkcs8", format: "pem" }) as string],
  ];
  test.each(forms)("from a key with %s", async (_, form) => {
    const target = await testbed.target(api);
    const GIT_HTTP_CREDENTIALS = `github-app:${app.id}:${form(app.pem)}`;
    const ran = await run(target, "https://github.com/acme/api", { GIT_HTTP_CREDENTIALS });
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    await target.expectCollected();
  });
});

describe("a run without a token says what to do", () => {
  const url = "https://github.com/acme/api.git";
  const answer = (status: number, message: string) => () => Response.json({ message }, { status });
  const failures: [string, () => void, string, string[]][] = [
    [
      "the app is not installed there",
      () => Object.assign(github, { installations: { acme: { only: ["web"] } } }),
      "git-denied",
      [`GitHub App ${app.id} is not installed on acme/api`, "Install the app on it"],
    ],
    [
      "its installation is suspended",
      () => Object.assign(github, { installations: { acme: { suspended: true } } }),
      "git-denied",
      ["on acme is suspended", "Unsuspend it"],
    ],
    [
      "it may not read contents",
      () => {
        github.instead = ({ body }) =>
          body === undefined ? undefined : answer(422, "The permissions requested are not granted")();
      },
      "git-denied",
      ["may not read contents", "are not granted", "Contents: Read-only"],
    ],
    [
      "GitHub refuses its key",
      () => {
        github.instead = answer(401, "A JSON web token could not be decoded");
      },
      "git-denied",
      ["GitHub refused the key", "could not be decoded", "new private key"],
    ],
    [
      "GitHub does not know it",
      () => {
        github.instead = answer(404, "Integration not found");
      },
      "git-denied",
      ["GitHub refused the key", "Integration not found", "Check the app's id"],
    ],
    [
      "GitHub repeats what proves to be the app",
      () => {
        github.instead = ({ authorization }) => answer(403, `You sent ${authorization} from here`)();
      },
      "git-denied",
      ["You sent Bearer *** from here"],
    ],
    [
      "the repository was renamed",
      () => {
        github.instead = () => new Response(null, { status: 301, headers: { Location: `${url}x` } });
      },
      "git-moved",
      ["redirect", "present address"],
    ],
    [
      "the API has an error",
      () => {
        github.instead = () => new Response("<html>", { status: 502 });
      },
      "git-unreachable",
      ["HTTP status 502"],
    ],
    [
      "the API sends something else",
      () => {
        github.instead = () => new Response("[]", { status: 200 });
      },
      "git-not-found",
      ["not GitHub's API"],
    ],
  ];
  test.each(failures)("because %s", async (_, fail, code, words) => {
    fail();
    const target = await testbed.target(api);
    const ran = await run(target, url);
    await target.expectFailed(ran, code, words[0], url);
    const [failed] = ran.events;
    for (const word of words) expect(`${failed?.message} ${failed?.remedy}`).toContain(word);
    expect(testbed.host.requests).toEqual([]);
    expect(github.requests.length).toBeLessThan(3);
    expect(revealed(ran.stdout)).toEqual([]);
  });

  test("because of the key of another app", async () => {
    const target = await testbed.target(api);
    const GIT_HTTP_CREDENTIALS = `github-app:${app.id}:${makeApp().pem}`;
    const ran = await run(target, url, { GIT_HTTP_CREDENTIALS });
    await target.expectFailed(ran, "git-denied", "refused the key", url);
  });

  test("because the URL is none of GitHub", async () => {
    const target = await testbed.target(api);
    const other = "https://git.example/group/acme/api.git";
    await target.expectFailed(await run(target, other), "git-denied", "https://host/owner/name", other);
    expect(proxy.hosts).toEqual([]);
  });

  test("because the authority of the API is private and not named", async () => {
    const target = await testbed.target(api);
    const ran = await run(target, url, { GIT_SSL_CAINFO: "" });
    await target.expectFailed(ran, "git-unreachable", "https://api.github.com gave no token. TLS", url);
  });

  test("for one repository, and the others are collected", async () => {
    Object.assign(github, { installations: { acme: { only: ["web"] }, other: { suspended: true } } });
    const target = await testbed.target(api);
    const names = ["acme/api", "acme/web", "acme/web.git", "other/tool", "other/tool.git"];
    const urls = names.map((name) => `https://github.com/${name}`);
    const ran = await runMany(target, urls, { CONCURRENCY: "1" });
    expect(codesOf(ran)).toEqual([
      "git-denied",
      "collected",
      "collected",
      "git-denied",
      "git-denied",
      "summary",
    ]);
    // A suspended installation is asked for once.
    expect(github.requests.filter(({ line }) => line.includes("/other/"))).toHaveLength(1);
    expect(ran.status).toBe(1);
  });
});

test.each([
  ["no key", "github-app:123456:secret-text"],
  ["no id", `github-app::${app.pem}`],
  ["half a key", credentials.slice(0, 900)],
  ["a damaged key", credentials.replace(/\n.{64}\n/, "\n")],
  ["an encrypted key", credentials.replaceAll("RSA PRIVATE", "ENCRYPTED PRIVATE")],
  [
    "a key that is not RSA",
    () =>
      `github-app:1:${generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" })}`,
  ],
])("%s is a wrong configuration, and is not shown", async (_, text) => {
  const target = await testbed.target(api);
  const GIT_HTTP_CREDENTIALS = typeof text === "string" ? text : text();
  const ran = await run(target, "https://github.com/acme/api", { GIT_HTTP_CREDENTIALS });
  expect(ran.events).toMatchObject([{ code: "configuration" }]);
  expect(ran.events[0]?.problems).toHaveLength(1);
  expect(ran.events[0]?.problems[0]).toMatch(/^GIT_HTTP_CREDENTIALS .*not shown/);
  expect(revealed(ran.stdout + ran.stderr)).toEqual([]);
  expect(ran.stdout).not.toContain("secret-text");
  expect(ran.status).toBe(2);
  expect(proxy.hosts).toEqual([]);
});

describe("a git host that", () => {
  const url = "https://github.com/acme/api.git";

  test("repeats the token gets it in no error", async () => {
    testbed.host.options.instead = {
      request: 2,
      body: () => errorPacket(`access denied to x-access-token:${[...github.tokens.keys()][0]}`),
    };
    const target = await testbed.target(api);
    const ran = await run(target, url);
    await target.expectFailed(ran, "git-refused", "***", url);
    expect(revealed(ran.stdout)).toEqual([]);
  });

  test("does not show a repository to the app says where to add it", async () => {
    testbed.host.options.status = 404;
    const target = await testbed.target(api);
    const ran = await run(target, url);
    await target.expectFailed(ran, "git-not-found", "", url);
    expect(ran.events[0]?.remedy).toContain("installation of the GitHub App");
  });

  test("redirects elsewhere gets no token there", async () => {
    testbed.host.options.redirect = ({ pathname, search }) => `https://evil.example${pathname}${search}`;
    const target = await testbed.target(api);
    await target.expectFailed(await run(target, url), "git-moved", "", url);
    expect(proxy.hosts).not.toContain("evil.example:443");
  });
});
