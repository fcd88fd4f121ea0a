import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { codeCommitRegion, signCodeCommit } from "../../../image/host/codecommit.ts";
import { type Certificate, makeCertificate } from "../../fixtures/certificate.ts";
import { type ConnectProxy, startConnectProxy } from "../../fixtures/connect-proxy.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(30_000);

/** What awscli 1.45.11 signs with these keys at this time; `my-repo` is the repository. */
const keys = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const time = new Date("2026-01-02T03:04:05Z");

describe("the signature", () => {
  test.each([
    ["us-east-1", "", "e13e377dd3e1b558218c9a1e11bed3517827bece33eb7b894d55cafaa76b7f5a"],
    ["us-east-1", ":443", "e13e377dd3e1b558218c9a1e11bed3517827bece33eb7b894d55cafaa76b7f5a"],
    ["eu-west-1", "", "6632a63f2ab79a3a82dfa158ff5cd1f30200897a54ce483fc8436d66ac1fda20"],
  ])("%s%s, as awscli signs", (region, port, signature) => {
    const url = `https://git-codecommit.${region}.amazonaws.com${port}/v1/repos/my-repo`;
    const password = `20260102T030405Z${signature}`;
    expect(signCodeCommit(url, region, keys, time)).toEqual({ user: "AKIDEXAMPLE", password });
    const session = { ...keys, sessionToken: "to/ken+en==" };
    const user = "AKIDEXAMPLE%to/ken+en==";
    expect(signCodeCommit(url, region, session, time)).toEqual({ user, password });
  });
});

describe("the hosts that a signature is made for", () => {
  test.each([
    ["git-codecommit.eu-west-1.amazonaws.com", "eu-west-1"],
    ["git-codecommit.us-gov-west-1.amazonaws.com", "us-gov-west-1"],
    ["git-codecommit-fips.us-east-2.amazonaws.com", "us-east-2"],
    ["git-codecommit.cn-north-1.amazonaws.com.cn", "cn-north-1"],
    ["vpce-0a1b-2c3d.git-codecommit.eu-west-1.vpce.amazonaws.com", "eu-west-1"],
    ["vpce-0a1b-2c3d.git-codecommit-fips.us-east-1.vpce.amazonaws.com", "us-east-1"],
    ["GIT-CODECOMMIT.eu-west-1.AMAZONAWS.com", "eu-west-1"],
  ])("%s: %s", (host, region) => {
    expect(codeCommitRegion(`https://${host}/v1/repos/api`)).toBe(region);
  });

  test.each([
    "github.com",
    "git-codecommit.us-east-1.amazonaws.com.evil.com",
    "git-codecommit.us-east-1.amazonaws.com.evil.com.cn",
    "evil-git-codecommit.us-east-1.amazonaws.com",
    "xgit-codecommit.us-east-1.amazonaws.com",
    "evil.git-codecommit.us-east-1.amazonaws.com",
    "git-codecommit.evil.com",
    "git-codecommit.us-east-1.evilamazonaws.com",
    "git-codecommit.us-east-1.amazonaws.community",
    "git-codecommit.evil.s3.us-east-1.amazonaws.com",
    "git-codecommit-evil.us-east-1.amazonaws.com",
    "git-codecommitXus-east-1.amazonaws.com",
    "s3.us-east-1.amazonaws.com",
    "evil.com/git-codecommit.us-east-1.amazonaws.com",
  ])("not %s", (host) => {
    expect(codeCommitRegion(`https://${host}/v1/repos/api`)).toBeUndefined();
  });
});

describe("a run", () => {
  const codeCommit = "git-codecommit.eu-west-1.amazonaws.com";
  const lookalike = "git-codecommit.eu-west-1.amazonaws.com.evil.example";
  const token = "session/token+with==";
  let testbed: Testbed;
  let certificate: Certificate;
  let proxy: ConnectProxy;
  let repository: Repository;

  beforeAll(async () => {
    certificate = await makeCertificate({ names: [codeCommit, lookalike] });
    testbed = await openTestbed({ tls: certificate });
    proxy = await startConnectProxy({ host: "127.0.0.1", port: testbed.host.port });
    repository = await testbed.repository("v1/repos/api");
  });
  afterAll(async () => {
    await Promise.all([proxy.close(), certificate.close(), testbed.close()]);
  });
  beforeEach(() => testbed.reset());

  const wayTo = (host: string) => ({
    GIT_REPO: `https://${host}/v1/repos/api`,
    HTTPS_PROXY: proxy.url,
    NO_PROXY: "127.0.0.1",
    GIT_SSL_CAINFO: certificate.ca,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_SESSION_TOKEN: token,
  });

  /** Checks a request as CodeCommit would: the user's token, a time of now, and its signature. */
  function isSigned(authorization: string | undefined): boolean {
    const pair = Buffer.from(authorization?.replace(/^Basic /, "") ?? "", "base64").toString();
    const [, user, signed, password] = /^(.+):((\d{8}T\d{6}Z)[0-9a-f]{64})$/.exec(pair)
      ? [0, pair.slice(0, pair.lastIndexOf(":")), pair.slice(-80, -64), pair.slice(-80)]
      : [];
    if (user !== `AKIDEXAMPLE%${token}` || !signed) return false;
    const iso = signed.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
    const url = `https://${codeCommit}/v1/repos/api`;
    const right = signCodeCommit(url, "eu-west-1", keys, new Date(iso));
    return Math.abs(Date.now() - Date.parse(iso)) < 60_000 && right.password === password;
  }

  test("of CodeCommit signs in as the task's role, with its session token", async () => {
    const target = await testbed.target(repository);
    testbed.host.options.authorize = ({ headers }) => isSigned(headers.authorization);
    const ran = await target.run(wayTo(codeCommit));
    expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
    expect(new Set(proxy.hosts)).toEqual(new Set([`${codeCommit}:443`]));
    expect(testbed.host.requests.length).toBeGreaterThan(2);
    expect(`${ran.stdout}${proxy.heads.join()}`).not.toContain(token);
    await target.expectCollected();
  });

  test("of CodeCommit with HTTPS Git credentials sends those", async () => {
    const target = await testbed.target(repository);
    testbed.host.options.credentials = { user: "git-user", password: "git-password" };
    const ran = await target.run({ ...wayTo(codeCommit), GIT_HTTP_CREDENTIALS: "git-user:git-password" });
    expect(ran.status).toBe(0);
    await target.expectCollected();
  });

  test("of CodeCommit without any AWS credentials is denied", async () => {
    const target = await testbed.target(repository);
    const without = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_SESSION_TOKEN: "" };
    const ran = await target.run({ ...wayTo(codeCommit), ...without });
    expect(ran.status).toBe(1);
    expect(testbed.host.requests).toEqual([]);
    await target.expectUntouched();
  });

  test("of a host that only looks like it sends nothing", async () => {
    const target = await testbed.target(repository);
    testbed.host.options.authorize = ({ headers }) => isSigned(headers.authorization);
    const url = `https://${lookalike}/v1/repos/api`;
    await target.expectFailed(await target.run(wayTo(lookalike)), "git-denied", "", url);
    expect(testbed.host.requests.length).toBeGreaterThan(0);
    expect(testbed.host.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
    expect(proxy.heads.join()).not.toContain("AKIDEXAMPLE");
  });
});
