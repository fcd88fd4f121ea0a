import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { type Certificate, makeCertificate } from "../../fixtures/certificate.ts";
import { type Host, startHost } from "../../fixtures/git-host.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(30_000);

let testbed: Testbed;
let certificates: Certificate[];
let hosts: Host[];
beforeAll(async () => {
  testbed = await openTestbed();
  await testbed.repository("api");
  const authorities = Array.from({ length: 3 }, () => makeCertificate({ names: ["127.0.0.1"] }));
  certificates = await Promise.all(authorities);
  hosts = await Promise.all(certificates.map((tls) => startHost(testbed.root, { tls })));
});
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  await Promise.all(certificates.map((certificate) => certificate.close()));
  await testbed.close();
});

/** Collects from the three hosts, of which the first one has a usual certificate. Returns which were trusted. */
async function trusted(GIT_SSL_CAINFO: string): Promise<number[]> {
  const bucket = await testbed.aws.createBucket();
  const entries = hosts.map((host, index) => ({
    gitRepo: host.url("api"),
    parameterName: `/${bucket}/${index}`,
    resultsBucket: `${bucket}/${index}`,
  }));
  const { environment } = await testbed.target(await testbed.repository(bucket));
  const { GIT_REPO: _, PARAMETER_NAME: __, RESULTS_BUCKET: ___, ...rest } = environment;
  const ran = await runWorker({
    ...rest,
    REPOSITORIES: JSON.stringify(entries),
    NODE_EXTRA_CA_CERTS: certificates[0]?.ca ?? "",
    GIT_SSL_CAINFO,
  });
  expect(ran.stderr).toBe("");
  for (const { event, code } of ran.events) if (event === "failed") expect(code).toBe("git-unreachable");
  const collected = ran.events
    .filter(({ event }) => event === "collected")
    .map(({ repository }) => repository);
  return hosts.flatMap((host, index) => (collected.includes(host.url("api")) ? [index] : []));
}

const ca = (index: number) => certificates[index]?.ca ?? "";
const pem = (index: number) => readFile(ca(index), "utf8");

test("without certificates, the usual ones are trusted", async () => {
  expect(await trusted("")).toEqual([0]);
});

test("a file of certificates replaces the usual ones, as in git", async () => {
  expect(await trusted(ca(1))).toEqual([1]);
});

test("certificates in the variable itself are added to the usual ones", async () => {
  expect(await trusted(await pem(1))).toEqual([0, 1]);
  expect(await trusted(`${await pem(1)}${(await pem(2)).replaceAll("\n", " ")}`)).toEqual([0, 1, 2]);
});

test.each([
  ["half a certificate", async () => (await pem(1)).slice(0, 300)],
  ["a damaged one", async () => (await pem(1)).replace(/\n[^-].*\n/, "\n")],
  ["a private key", async () => certificates[1]?.key ?? ""],
])("%s is a wrong configuration, and is not shown", async (_, text) => {
  const { environment } = await testbed.target(await testbed.repository("other"));
  const GIT_SSL_CAINFO = await text();
  const ran = await runWorker({ ...environment, GIT_SSL_CAINFO });
  expect(ran.status).toBe(2);
  expect(ran.events[0]?.problems).toEqual([
    expect.stringMatching(/^GIT_SSL_CAINFO is "-----BEGIN …": it must hold certificates in PEM/),
  ]);
  expect(ran.stdout).not.toContain(GIT_SSL_CAINFO.split("\n")[1] ?? "");
});
