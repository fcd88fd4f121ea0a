import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { createServer } from "node:tls";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { awsHttp } from "../../../image/stores/aws-http.ts";
import { type Certificate, makeCertificate } from "../../fixtures/certificate.ts";
import { startConnectProxy } from "../../fixtures/connect-proxy.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(30_000);

// A name for which the emulator does not look for a bucket in it.
const name = "localhost";
let testbed: Testbed;
let repository: Repository;
let certificate: Certificate;
let secure: Server;
let port: number;

beforeAll(async () => {
  testbed = await openTestbed();
  // Its diff goes to S3 in several parts.
  repository = await testbed.repository("large", 12 * 1024 ** 2);
  certificate = await makeCertificate({ names: [name, "127.0.0.1"] });
  // The emulator, behind TLS.
  const plain = Number(new URL(testbed.aws.endpoint).port);
  secure = createServer({ cert: certificate.cert, key: certificate.key }, (client) => {
    const onward = connect(plain, "127.0.0.1");
    client.pipe(onward).pipe(client);
    for (const socket of [client, onward]) socket.on("error", () => client.destroy() && onward.destroy());
  });
  await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
  port = (secure.address() as { port: number }).port;
});
afterAll(() => Promise.all([testbed.close(), certificate.close(), secure.close()]));
beforeEach(() => testbed.reset());

describe("a private authority", () => {
  test("that AWS_CA_BUNDLE names is trusted", async () => {
    const target = await testbed.target(repository);
    const AWS_ENDPOINT_URL = `https://127.0.0.1:${port}`;
    const ran = await target.run({ AWS_ENDPOINT_URL, AWS_CA_BUNDLE: certificate.ca });
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    await target.expectCollected();
  });

  test.each([
    ["itself", (pem: string) => pem],
    ["with blanks for line breaks", (pem: string) => pem.replaceAll("\n", " ")],
    ["with \\n for line breaks, after a comment", (pem: string) => `# Ours\\n${pem.replaceAll("\n", "\\n")}`],
  ])("that AWS_CA_BUNDLE holds, %s, is trusted", async (_, form) => {
    const target = await testbed.target(repository);
    const AWS_CA_BUNDLE = form(await readFile(certificate.ca, "utf8"));
    const ran = await target.run({ AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`, AWS_CA_BUNDLE });
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    await target.expectCollected();
  });

  test("that is one of the usual ones stays trusted beside certificates in AWS_CA_BUNDLE, and not beside a file", async () => {
    await using other = await makeCertificate({ names: [name] });
    const target = await testbed.target(repository);
    const usual = { AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`, NODE_EXTRA_CA_CERTS: certificate.ca };
    const ran = await target.run({ ...usual, AWS_CA_BUNDLE: other.ca });
    await target.expectFailed(ran, "cursor-unreadable", "certificate");
    const AWS_CA_BUNDLE = await readFile(other.ca, "utf8");
    expect(await target.run({ ...usual, AWS_CA_BUNDLE })).toMatchObject({ status: 0, stderr: "" });
    await target.expectCollected();
  });

  test("that nobody names is not", async () => {
    const target = await testbed.target(repository);
    const ran = await target.run({ AWS_ENDPOINT_URL: `https://127.0.0.1:${port}` });
    await target.expectFailed(ran, "cursor-unreadable", "certificate");
    expect(testbed.aws.calls).toEqual([]);
  });
});

describe("a proxy with a password", () => {
  const run = async (password: string) => {
    await using proxy = await startConnectProxy({ host: "127.0.0.1", port }, "ann:p%ss");
    const target = await testbed.target(repository);
    const ran = await target.run({
      AWS_ENDPOINT_URL: `https://${name}`,
      AWS_CA_BUNDLE: certificate.ca,
      HTTPS_PROXY: `http://ann:${password}@127.0.0.1:${proxy.port}`,
      NO_PROXY: "127.0.0.1",
    });
    return { target, ran, hosts: new Set(proxy.hosts), heads: proxy.heads.join() };
  };

  test("leads to AWS", async () => {
    const { target, ran, hosts } = await run("p%25ss");
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(hosts).toEqual(new Set([`${name}:443`]));
    await target.expectCollected();
  });

  test("that is wrong leads nowhere, and is in no error", async () => {
    const { target, ran, hosts } = await run("wrong-pass");
    await target.expectFailed(ran, "cursor-unreadable", "Proxy refused");
    expect(ran.stdout).not.toContain("wrong-pass");
    expect(hosts).toEqual(new Set());
  });
});

test("a connection that is refused is tried again", async () => {
  const client = new S3Client({
    requestHandler: awsHttp(undefined),
    // Nothing listens there.
    endpoint: "http://127.0.0.1:1",
    region: "eu-west-1",
    credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "not-a-secret" },
    maxAttempts: 2,
  });
  const error = await client.send(new ListBucketsCommand({})).catch((error) => error);
  expect(error.$metadata.attempts).toBe(2);
});
