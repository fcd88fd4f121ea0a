import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { HostPaused, openHost } from "../../../image/host/host.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

let server: Server;
let answer: Answer;
let origin: string;
let requests: { path: string; time: number }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push({ path: request.url ?? "", time: performance.now() });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
  answer = (_, response) => response.end("fine");
});

const { signal } = new AbortController();
const open = (limits: Partial<Parameters<typeof openHost>[1]> = {}) =>
  openHost(
    origin,
    { concurrency: 8, requestsPerSecond: undefined, longestPauseSeconds: 3_600, ...limits },
    undefined,
  );
const ask = async (host: ReturnType<typeof open>, path = "/", credential?: string) => {
  const { status, body } = await host.request(
    { method: "GET", url: `${origin}${path}`, headers: {} },
    credential,
    signal,
  );
  for await (const _ of body);
  return status;
};
const statusOf = (status: number, headers: Record<string, string> = {}): Answer => {
  return (_, response) => response.writeHead(status, headers).end();
};

test("a host gets no more requests at a time than its limit", async () => {
  let [running, most] = [0, 0];
  answer = async (_, response) => {
    most = Math.max(most, ++running);
    await Bun.sleep(10);
    running--;
    response.end("fine");
  };
  const host = open({ concurrency: 3 });
  await Promise.all(Array.from({ length: 20 }, () => ask(host)));
  expect([requests.length, most]).toEqual([20, 3]);
});

test("a request that is cancelled frees its place", async () => {
  const host = open({ concurrency: 1 });
  const request = { method: "GET" as const, url: origin, headers: {} };
  (await host.request(request, undefined, signal)).cancel();
  expect(await ask(host)).toBe(200);
});

test("a host gets no more requests a second than its limit", async () => {
  const host = open({ requestsPerSecond: 20 });
  await Promise.all(Array.from({ length: 6 }, () => ask(host)));
  const [first, last] = [requests[0]?.time ?? 0, requests.at(-1)?.time ?? 0];
  expect(last - first).toBeGreaterThan(5 * 50 - 30);
});

test.each([429, 503])("after %d, the whole host pauses for as long as it asks", async (status) => {
  const host = open();
  answer = statusOf(status, { "Retry-After": "7" });
  await expect(ask(host)).rejects.toBeInstanceOf(HostPaused);
  const seconds = (host.pausedUntil() - Date.now()) / 1_000;
  expect(seconds).toBeWithin(6.9, 7 * 1.25);
  // Until then, nothing is sent.
  await expect(ask(host)).rejects.toBeInstanceOf(HostPaused);
  expect(requests).toHaveLength(1);
});

test("Retry-After may be a date", async () => {
  const host = open();
  answer = statusOf(429, { "Retry-After": new Date(Date.now() + 30_000).toUTCString() });
  await expect(ask(host)).rejects.toBeInstanceOf(HostPaused);
  expect((host.pausedUntil() - Date.now()) / 1_000).toBeWithin(28, 30 * 1.25);
});

test("without Retry-After, the pause is a minute", async () => {
  const host = open();
  answer = statusOf(503);
  await expect(ask(host)).rejects.toBeInstanceOf(HostPaused);
  expect((host.pausedUntil() - Date.now()) / 1_000).toBeWithin(59, 60 * 1.25);
});

test("after three pauses in a row, the host is busy; a success in between counts from the start", async () => {
  const host = open();
  const busy = statusOf(429, { "Retry-After": "0" });
  answer = busy;
  for (let pause = 0; pause < 2; pause++) await expect(ask(host)).rejects.toBeInstanceOf(HostPaused);
  answer = statusOf(200);
  expect(await ask(host)).toBe(200);
  answer = busy;
  for (let pause = 0; pause < 3; pause++) await expect(ask(host)).rejects.toBeInstanceOf(HostPaused);
  await expect(ask(host)).rejects.toMatchObject({ code: "host-busy" });
  const sent = requests.length;
  await expect(ask(host)).rejects.toMatchObject({ code: "host-busy" });
  expect(requests).toHaveLength(sent);
});

test("a host that asks for a longer pause than a run may take is busy", async () => {
  answer = statusOf(429, { "Retry-After": "86400" });
  await expect(ask(open())).rejects.toMatchObject({ code: "host-busy" });
});

test("requests that were under way when a pause began belong to that pause", async () => {
  const host = open();
  answer = statusOf(429, { "Retry-After": "1" });
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => ask(host)));
  expect(results.every(({ status }) => status === "rejected")).toBe(true);
  expect(host.pausedUntil()).toBeGreaterThan(Date.now());
});

test("after five denials in a row, credentials are not tried any more, and others are", async () => {
  const host = open();
  answer = ({ url }, response) => response.writeHead(url === "/denied" ? 401 : 200).end();
  for (let time = 0; time < 4; time++) expect(await ask(host, "/denied", "one")).toBe(401);
  expect(await ask(host, "/granted", "one")).toBe(200);
  for (let time = 0; time < 5; time++) expect(await ask(host, "/denied", "one")).toBe(401);
  await expect(ask(host, "/granted", "one")).rejects.toMatchObject({ code: "git-denied" });
  expect(requests).toHaveLength(10);
  expect(await ask(host, "/granted", "two")).toBe(200);
  expect(await ask(host, "/granted")).toBe(200);
});
