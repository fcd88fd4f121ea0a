import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { tryGit } from "./git.ts";
import { type Host, startHost } from "./host.ts";
import { type ConnectProxy, startConnectProxy } from "./proxy.ts";
import { makeRepository } from "./repository.ts";

const CODECOMMIT = "git-codecommit.eu-west-1.amazonaws.com";
let root: string;
let certificate: Certificate;
let host: Host;
let proxy: ConnectProxy;
let head: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tls-"));
  const repository = await makeRepository({ path: join(root, "v1", "repos", "api") });
  await repository.write("file", "content");
  head = await repository.commit();
  certificate = await makeCertificate({ names: ["127.0.0.1", CODECOMMIT] });
  host = await startHost(root, { tls: certificate });
  proxy = await startConnectProxy({ host: "127.0.0.1", port: host.port });
});
afterAll(async () => {
  await proxy.close();
  await host.close();
  await certificate.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => host.reset());

test("a private authority is trusted when named, and not otherwise", async () => {
  const url = host.url("v1/repos/api");
  expect(url).toStartWith("https://127.0.0.1:");
  const trusted = await tryGit(["ls-remote", url, "HEAD"], { env: { GIT_SSL_CAINFO: certificate.ca } });
  expect(trusted.stderr).toBe("");
  expect(trusted.stdout.toString()).toBe(`${head}\tHEAD\n`);
  const { status, stderr } = await tryGit(["ls-remote", url]);
  expect(status).toBe(128);
  expect(stderr).toContain("server certificate verification failed");
});

test("a tunnel brings any host here", async () => {
  const url = `https://${CODECOMMIT}/v1/repos/api`;
  const env = { GIT_SSL_CAINFO: certificate.ca, HTTPS_PROXY: proxy.url };
  const { stdout, stderr } = await tryGit(["ls-remote", url, "HEAD"], { env });
  expect(stderr).toBe("");
  expect(stdout.toString()).toBe(`${head}\tHEAD\n`);
  expect(proxy.hosts).toEqual([`${CODECOMMIT}:443`]);
  expect(proxy.heads.join()).not.toInclude("Authorization: Basic");
  expect(host.requests[0]?.headers.host).toBe(CODECOMMIT);

  const other = await tryGit(["ls-remote", "https://github.com/acme/api.git"], { env });
  expect(other.status).toBe(128);
  expect(other.stderr).toContain("certificate subject name");
});

test("without a server behind it a tunnel ends", async () => {
  await using nowhere = await startConnectProxy({ host: "127.0.0.1", port: 1 });
  const env = { GIT_SSL_CAINFO: certificate.ca, HTTPS_PROXY: nowhere.url };
  const { status, stderr } = await tryGit(["ls-remote", `https://${CODECOMMIT}/v1/repos/api`], { env });
  expect(status).toBe(128);
  expect(stderr).toContain("unable to access");
});
