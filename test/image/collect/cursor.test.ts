import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// The computer may be busy.
setDefaultTimeout(30_000);
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
afterEach(() => testbed.reset());

test("creating the cursor succeeds although the answer is lost", async () => {
  const target = await testbed.target(await testbed.repository("answer"), null);
  let cut = false;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const headers = request.headers as Record<string, string>;
    const reply = await fetch(testbed.aws.endpoint, { method: "POST", headers, body });
    const answer = await reply.text();
    if (!cut && String(headers["x-amz-target"]).endsWith("PutParameter")) {
      cut = true;
      return void request.socket.destroy();
    }
    response.writeHead(reply.status, { "content-type": "application/x-amz-json-1.1" }).end(answer);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ran = await target.run({ AWS_ENDPOINT_URL_SSM: endpoint });
  server.closeAllConnections();
  server.close();
  await target.expectCollected();
  expect(ran.events[0]).toMatchObject({ event: "collected" });
});

test("an error does not claim that the cursor has not moved, if somebody moved it", async () => {
  const target = await testbed.target(await testbed.repository("moved"));
  const move = () => testbed.aws.putParameter(target.parameter, "f".repeat(40));
  testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run: move } });
  const event = (await target.run()).events[0];
  expect(event).toMatchObject({ event: "failed", code: "cursor-moved" });
  expect(event?.safe).not.toContain("the cursor has not moved");
}, 30_000);
