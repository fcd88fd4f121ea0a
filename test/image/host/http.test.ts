import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { startVariant, variants } from "../../fixtures/http-variants.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);
let testbed: Testbed;
let repository: Repository;
beforeAll(async () => {
  testbed = await openTestbed();
  repository = await testbed.repository("http");
  await repository.write("noise", randomBytes(100_000));
  await repository.commit();
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

test.each(Object.entries(variants))("a host may answer with %s", async (_, variant) => {
  for (const protocol of [2, 0] as const) {
    testbed.host.options.protocol = protocol;
    await using server = await startVariant(testbed.host.origin, variant);
    const target = await testbed.target(repository);
    const ran = await target.run({ GIT_REPO: `${server.origin}/http.git` });
    expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
    await target.expectCollected();
  }
});

test("connections are kept, and shared by the repositories of a host", async () => {
  let connections = 0;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const { host: _, connection: __, "content-length": ___, ...headers } = request.headers;
    const answer = await fetch(`${testbed.host.origin}${request.url}`, {
      method: request.method,
      headers: headers as Record<string, string>,
      ...(body.length > 0 && { body }),
    });
    response.writeHead(answer.status, { "Content-Type": answer.headers.get("content-type") ?? "" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }).listen(0, "127.0.0.1");
  server.on("connection", () => connections++);
  await new Promise((resolve) => server.once("listening", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = await testbed.target(repository);
  const entries = Array.from({ length: 10 }, (_, index) => ({
    gitRepo: `${origin}/http.git`,
    parameterName: `${target.parameter}-${index}`,
    resultsBucket: `${target.bucket}/${index}`,
  }));
  const { GIT_REPO: _, PARAMETER_NAME: __, RESULTS_BUCKET: ___, ...environment } = target.environment;
  const ran = await target.run({
    ...environment,
    GIT_REPO: "",
    PARAMETER_NAME: "",
    RESULTS_BUCKET: "",
    REPOSITORIES: JSON.stringify(entries),
    CONCURRENCY: "2",
  });
  server.closeAllConnections();
  server.close();
  expect(ran.events.at(-1)).toMatchObject({ collected: 10 });
  expect(testbed.host.requests.length).toBeGreaterThan(29);
  expect(connections).toBeLessThanOrEqual(4);
});

describe("an endless answer ends at its bound:", () => {
  const line = (text: string) => (text.length + 4).toString(16).padStart(4, "0") + text;
  const id = "1".repeat(40);
  const listing = "application/x-git-upload-pack-advertisement";
  const repeated = (text: string) => Buffer.from(text.repeat(Math.ceil(200_000 / text.length)));

  /** Sends `piece` for as long as the client reads. */
  function endless(response: ServerResponse, type: string, first: string, piece: Buffer): void {
    response.writeHead(200, { "Content-Type": type });
    response.write(first);
    const send = () => {
      while (!response.destroyed) if (!response.write(piece)) return void response.once("drain", send);
    };
    send();
  }

  const service = `${line("# service=git-upload-pack\n")}0000`;
  const head = line(`${id} HEAD\0side-band-64k\n`);
  test.each<[string, string, (response: ServerResponse) => void]>([
    [
      "a list of refs",
      "answer-too-large",
      (response) => endless(response, listing, service + head, repeated(line(`${id} refs/heads/a\n`))),
    ],
    [
      "a list of capabilities",
      "answer-too-large",
      (response) => endless(response, listing, `${service}${line("version 2\n")}`, repeated(line("x=y\n"))),
    ],
    [
      "a line",
      "git-not-found",
      (response) => endless(response, listing, service, Buffer.from("x".repeat(100_000))),
    ],
    [
      "a web page",
      "git-not-found",
      (response) => endless(response, "text/html", "<html>", Buffer.from("<p>Sign in</p>".repeat(10_000))),
    ],
  ])("%s", async (_, code, respond) => {
    const server = createServer((_, response) => respond(response)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const target = await testbed.target(repository);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
    const ran = await target.run({ GIT_REPO: url });
    server.closeAllConnections();
    server.close();
    expect(ran.events[0]).toMatchObject({ event: "failed", code });
    expect(ran.seconds).toBeLessThan(20);
    await target.expectUntouched();
  });
});

test("a pack that is larger than MAX_PACK_BYTES is stopped, long before its end", async () => {
  const large = await testbed.repository("large");
  await large.write("noise", randomBytes(30_000_000));
  await large.commit();
  const target = await testbed.target(large);
  await target.expectFailed(
    await target.run({ MAX_PACK_BYTES: "1000000" }),
    "pack-too-large",
    "MAX_PACK_BYTES",
  );
  expect(testbed.host.bytesSent).toBeLessThan(20_000_000);
});
