import { expect, setDefaultTimeout, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SSMClient } from "@aws-sdk/client-ssm";
import { type ParameterStore, parameterStore } from "../../../image/stores/parameter-store.ts";

setDefaultTimeout(60_000);
type Call = { operation: string; input: { Name?: string; Names?: string[] } };
/** Answers with an error's name, or a body. */
type Answer = (call: Call) => string | object;

/** Serves Parameter Store by `answer`, with a delay as AWS has. */
async function serve(answer: Answer, work: (store: ParameterStore, calls: Call[]) => Promise<void>) {
  const calls: Call[] = [];
  const server: Server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
    const operation = String(request.headers["x-amz-target"]).replace("AmazonSSM.", "");
    const call = { operation, input: JSON.parse(body) };
    calls.push(call);
    await Bun.sleep(5);
    const result = answer(call);
    const failed = typeof result === "string";
    response.writeHead(failed ? 400 : 200, { "Content-Type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(failed ? { __type: result, message: result } : result));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new SSMClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "eu-west-1",
    credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "not-a-secret" },
    maxAttempts: 1,
  });
  try {
    await work(parameterStore(client, 3), calls);
  } finally {
    client.destroy();
    server.closeAllConnections();
    server.close();
  }
}

const { signal } = new AbortController();
const parameter = (Name: string) => ({ Name, Value: `value of ${Name}`, Version: 1 });
const names = Array.from({ length: 25 }, (_, index) => `/cursor/${index}`);
const readAll: Answer = ({ input }) =>
  input.Names ? { Parameters: input.Names.map(parameter) } : { Parameter: parameter(input.Name ?? "") };

test("reads that wait at the same time share requests of ten", async () => {
  await serve(readAll, async (store, calls) => {
    const read = await Promise.all(names.map((name) => store.get(name, signal)));
    expect(read.map(({ Value }) => Value)).toEqual(names.map((name) => `value of ${name}`));
    expect(calls.length).toBeLessThanOrEqual(4);
    expect(Math.max(...calls.map(({ input }) => input.Names?.length ?? 1))).toBe(10);
  });
});

test("one that is missing or denied does not affect the others", async () => {
  const answer: Answer = (call) => {
    const { input } = call;
    if (input.Names?.includes("/cursor/3")) return "AccessDeniedException";
    if (input.Name === "/cursor/3") return "AccessDeniedException";
    if (input.Name === "/cursor/15") return "ParameterNotFound";
    if (!input.Names) return readAll(call);
    return { Parameters: input.Names.filter((name) => name !== "/cursor/15").map(parameter) };
  };
  await serve(answer, async (store) => {
    const read = await Promise.allSettled(names.map((name) => store.get(name, signal)));
    const errors = read.flatMap((result, index) =>
      result.status === "rejected" ? [[index, result.reason.name]] : [],
    );
    expect(errors).toEqual([
      [3, "AccessDeniedException"],
      [15, "ParameterNotFound"],
    ]);
  });
});

test("a role that may not read many at once reads them one by one", async () => {
  const answer: Answer = (call) => (call.input.Names ? "AccessDeniedException" : readAll(call));
  await serve(answer, async (store, calls) => {
    await Promise.all([...names, ...names].map((name) => store.get(name, signal)));
    expect(calls.filter(({ input }) => input.Names).length).toBeLessThanOrEqual(3);
  });
});

test.each([
  ["100 writes at 20 a second, all at once", 100, 20, 100],
  ["30 writes at 5 a second, 8 at a time", 30, 5, 8],
])("%s: all succeed, in little more time than the rate implies", async (_, count, perSecond, atOnce) => {
  let tokens = perSecond;
  let last = performance.now();
  const answer: Answer = () => {
    const now = performance.now();
    tokens = Math.min(perSecond, tokens + ((now - last) / 1_000) * perSecond);
    last = now;
    if (tokens < 1) return "ThrottlingException";
    tokens--;
    return { Version: 2 };
  };
  await serve(answer, async (store, calls) => {
    const started = performance.now();
    let next = 0;
    const worker = async () => {
      while (next < count) expect(await store.put({ Name: `/cursor/${next++}`, Value: "x" }, signal)).toBe(2);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    const seconds = (performance.now() - started) / 1_000;
    expect(seconds).toBeLessThan((count / perSecond) * 1.5);
    // It adapts, and does not keep asking.
    expect(calls.length).toBeLessThan(count * 1.5 + 15);
  });
});

test("a write that is throttled ends with the signal", async () => {
  await serve(
    () => "ThrottlingException",
    async (store) => {
      const write = store.put({ Name: "/cursor", Value: "x" }, AbortSignal.timeout(300));
      await expect(write).rejects.toMatchObject({ name: "TimeoutError" });
    },
  );
});

test("an error of AWS is retried, and one of the request is not", async () => {
  let failures = 2;
  await serve(
    () => (failures-- > 0 ? "InternalServerError" : { Version: 2 }),
    async (store, calls) => {
      expect(await store.put({ Name: "/cursor", Value: "x" }, signal)).toBe(2);
      expect(calls.length).toBe(3);
    },
  );
  await serve(
    () => "ValidationException",
    async (store, calls) => {
      await expect(store.put({ Name: "/cursor", Value: "x" }, signal)).rejects.toThrow();
      expect(calls.length).toBe(1);
    },
  );
});
