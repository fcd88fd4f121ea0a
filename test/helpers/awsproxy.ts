import { createServer, type IncomingMessage, request as makeRequest, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { errorAnswer, type Fault, type FaultRule, isAfter, makeFaults } from "./faults.ts";
import { type AwsCall, toCall } from "./operation.ts";

export interface AwsProxy extends AsyncDisposable {
  endpoint: string;
  calls: AwsCall[];
  fail(rule: FaultRule): void;
  clearFaults(): void;
  close(): Promise<void>;
}

interface Exchange {
  call: AwsCall;
  /** To be broken off; the request lets go of it by itself once it is destroyed. */
  socket: Socket;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Stands in front of an emulator of AWS, writes down every call, and lets chosen ones go wrong. */
export async function startAwsProxy(target: { host: string; port: number }): Promise<AwsProxy> {
  const calls: AwsCall[] = [];
  const faults = makeFaults();
  const server = createServer((request, response) => {
    const call = toCall(request.method ?? "GET", request.url ?? "/", request.headers);
    calls.push(call);
    const { socket } = request;
    answer({ call, socket, request, response }, faults.next(call)).catch(() => socket.destroy());
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    fail: faults.fail,
    clearFaults: faults.clearFaults,
    close,
    [Symbol.asyncDispose]: close,
  };

  async function answer(exchange: Exchange, fault: Fault | undefined): Promise<void> {
    const { call, request, response } = exchange;
    if (fault === "cut") return cut(exchange, target);
    if (fault && !isAfter(fault) && (await happens(exchange, fault))) return void request.resume();
    const reply = await send(request, target);
    if (fault && isAfter(fault) && (await happens(exchange, fault))) return void reply.resume();
    // The emulator closes its connection after each answer; this proxy keeps the client's.
    const { connection: _, ...headers } = reply.headers;
    call.status = reply.statusCode ?? 502;
    response.writeHead(call.status, headers);
    await pipeline(reply, response);
  }
}

/** Lets it go wrong; answers whether that leaves nothing more to be said to the client. */
async function happens({ call, socket, response }: Exchange, fault: Exclude<Fault, "cut">): Promise<boolean> {
  if (fault === "hang" || fault === "hang-after") return true;
  if (fault === "reset" || fault === "reset-after") {
    socket.destroy();
    return true;
  }
  if ("delayMs" in fault) {
    await sleep(fault.delayMs);
    return false;
  }
  if ("run" in fault) {
    await fault.run(call);
    return false;
  }
  const { type, body } =
    "body" in fault
      ? { type: "application/xml", body: fault.body }
      : errorAnswer(call, fault.code, fault.message ?? fault.code);
  call.status = fault.status;
  response.writeHead(fault.status, {
    "Content-Type": type,
    "Content-Length": String(Buffer.byteLength(body)),
  });
  response.end(body);
  return true;
}

function open(request: IncomingMessage, target: { host: string; port: number }) {
  // This proxy has answered `Expect: 100-continue` itself.
  const { expect: _, connection: __, ...headers } = request.headers;
  return makeRequest({ ...target, method: request.method, path: request.url, headers, agent: false });
}

async function send(
  request: IncomingMessage,
  target: { host: string; port: number },
): Promise<IncomingMessage> {
  const onward = open(request, target);
  const reply = new Promise<IncomingMessage>((resolve, reject) => {
    onward.on("response", resolve);
    onward.on("error", reject);
  });
  request.pipe(onward);
  return reply;
}

/** By hand, because an HTTP client would rather send nothing than half. */
async function cut({ request, socket }: Exchange, target: { host: string; port: number }): Promise<void> {
  const onward = connect(target);
  onward.on("error", () => {});
  const { expect: _, ...headers } = request.headers;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
  let left = Math.floor(Number(headers["content-length"] ?? 0) / 2);
  await new Promise<void>((resolve) => {
    request.on("data", (chunk: Buffer) => {
      if (left > 0) onward.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) onward.end(resolve);
    });
    request.on("close", resolve);
  });
  onward.destroy();
  socket.destroy();
}
