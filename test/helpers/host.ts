import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startBackend } from "./backend.ts";
import { git } from "./git.ts";
import { deepenings, errorPacket, withoutCapabilities, withoutDepth } from "./pktline.ts";
import { asConfiguration } from "./repository.ts";
import { readBody, type Traffic, writeAll } from "./stream.ts";

export interface HostOptions {
  /** Whether the host knows partial clones. */
  filter: boolean;
  /** 0: the host never heard of protocol 2. */
  protocol: 0 | 2;
  /** Whether a commit that no ref shows may be asked for by its id; stock git refuses in protocol 0 only. */
  unadvertised: boolean;
  /** Protocol 0: the tips of hidden refs may be asked for, nothing else. */
  tipOnly: boolean;
  depth: "obey" | "ignore" | "unsupported";
  /** false: the host knows depth, but not `deepen-since` and `deepen-not`. */
  since: boolean;
  credentials?: { user: string; password: string };
  /** Any other check of a request; false is answered with 401 or, if it came with credentials, 403. */
  authorize?: (request: HostRequest) => boolean;
  redirect?: (url: URL) => string | undefined;
  /** Answers everything with this status. */
  status?: number;
  /** Destroys the connection after so many bytes of the body of an answer to a git-upload-pack request. */
  cutAfterBytes?: number;
  delayMs?: number;
  /** What is to happen before the request of this number is answered, counted from 1. */
  before?: { request: number; happen: () => Promise<unknown> };
  /** The request of this number is answered with this status, or with what this makes of the answer. */
  instead?: { request: number; status?: number; body?: (answer: Buffer) => Buffer };
  /** Takes requests and never answers. */
  hang: boolean;
}

export interface HostRequest {
  method: string;
  path: string;
  query: string;
  headers: IncomingMessage["headers"];
  service?: "git-upload-pack" | "git-receive-pack";
  /** What it was answered with, once it was. */
  status?: number;
}

export interface Host extends AsyncDisposable, Traffic {
  readonly port: number;
  readonly origin: string;
  readonly options: HostOptions;
  readonly requests: HostRequest[];
  url(name: string): string;
  /** Forgets requests and counters, and puts the options back to what the host was started with. */
  reset(): void;
  close(): Promise<void>;
}

export type StartHostOptions = Partial<HostOptions> & { tls?: { key: string; cert: string } };

/** A git host on loopback: the real `git http-backend` over whatever repositories lie below `root`. */
export async function startHost(root: string, { tls, ...given }: StartHostOptions = {}): Promise<Host> {
  const execPath = (await git(["--exec-path"])).toString().trim();
  const initial = (): HostOptions => ({
    filter: true,
    protocol: 2,
    unadvertised: true,
    tipOnly: false,
    depth: "obey",
    since: true,
    hang: false,
    ...given,
  });

  const listener: RequestListener = (request, response) => {
    answer(request, response).catch(() => response.destroy());
  };
  const server = tls ? createTlsServer({ key: tls.key, cert: tls.cert }, listener) : createServer(listener);
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const running = new Set<() => void>();
  const close = async () => {
    for (const stop of running) stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const host: Host = {
    port,
    origin,
    options: initial(),
    requests: [],
    bytesSent: 0,
    bytesReceived: 0,
    url: (name) => `${origin}/${name.replace(/\.git$/, "")}.git`,
    reset() {
      for (const key of Object.keys(host.options))
        delete (host.options as Partial<HostOptions>)[key as "hang"];
      Object.assign(host.options, initial());
      Object.assign(host, { bytesSent: 0, bytesReceived: 0 });
      host.requests.length = 0;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return host;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", headers } = request;
    const url = new URL(request.url ?? "/", `${tls ? "https" : "http"}://${headers.host}`);
    const service = /git-(?:upload|receive)-pack$/.exec(`${url.pathname}${url.search}`)?.[0];
    const seen: HostRequest = { method, path: url.pathname, query: url.search.slice(1), headers };
    if (service) seen.service = service as HostRequest["service"];
    host.requests.push(seen);
    host.bytesReceived +=
      `${method} ${request.url} HTTP/1.1\r\n${request.rawHeaders.join("..")}\r\n\r\n`.length;
    // The options of the moment the request came in hold until it is answered.
    const options = { ...host.options };

    const head = (status: number, fields: Record<string, string>) => {
      seen.status = status;
      const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
      host.bytesSent += 64 + lines.join("").length;
      response.writeHead(status, fields);
    };
    const whole = (status: number, body: string | Buffer, fields: Record<string, string> = {}) => {
      request.resume();
      head(status, {
        "Content-Type": "text/plain",
        "Content-Length": String(Buffer.byteLength(body)),
        ...fields,
      });
      host.bytesSent += Buffer.byteLength(body);
      response.end(body);
    };

    if (options.hang) return void request.resume();
    const number = host.requests.length;
    if (options.before?.request === number) await options.before.happen();
    const instead = options.instead?.request === number ? options.instead : undefined;
    if (options.delayMs) await sleep(options.delayMs);
    const refused = instead?.status ?? options.status;
    if (refused) return whole(refused, `status ${refused}\n`);
    const target = options.redirect?.(url);
    if (target !== undefined) return whole(301, "moved\n", { Location: target });

    const refusal = refuse(seen, options);
    if (refusal) {
      // A hostile host: it says back what it was told, and git shows text/plain bodies to its user.
      const told = `refused: ${headers.authorization ?? "no authorization"}\n`;
      return whole(refusal, told, refusal === 401 ? { "WWW-Authenticate": 'Basic realm="test"' } : {});
    }

    const [, name = "", operation = ""] = /^\/(.+)\/(info\/refs|git-[a-z-]+-pack)$/.exec(url.pathname) ?? [];
    const directory = findRepository(root, decodeURIComponent(name));
    if (!directory) return whole(404, "no such repository\n");

    const version = options.protocol === 2 && headers["git-protocol"]?.includes("version=2") ? 2 : 0;
    const asksForPack = method === "POST" && operation === "git-upload-pack";
    let body: Buffer | undefined;
    if (asksForPack && (options.depth !== "obey" || !options.since)) {
      body = await readBody(request, host);
      const error = refuseDepth(deepenings(body), options);
      if (error) {
        const answer = errorPacket(error);
        return whole(200, answer, { "Content-Type": "application/x-git-upload-pack-result" });
      }
      if (options.depth === "ignore") body = withoutDepth(body, version);
    }

    const backend = startBackend(join(execPath, "git-http-backend"), {
      directory,
      path: `/${operation}`,
      query: seen.query,
      method,
      headers,
      body: body ?? request,
      protocol: version === 2 ? String(headers["git-protocol"]) : undefined,
      configuration: asConfiguration({
        "safe.directory": "*",
        "uploadpack.allowFilter": String(options.filter),
        "uploadpack.allowAnySHA1InWant": String(options.unadvertised && !options.tipOnly),
        "uploadpack.allowTipSHA1InWant": String(options.unadvertised || options.tipOnly),
      }),
      traffic: host,
    });
    running.add(backend.stop);
    response.on("close", backend.stop);
    try {
      const { status, fields } = await backend.head;
      const gone = hiddenCapabilities(options);
      const change =
        instead?.body ??
        (operation === "info/refs" && status === 200 && gone.length > 0
          ? (all: Buffer) => withoutCapabilities(all, gone)
          : undefined);
      if (change) {
        const all = Buffer.concat(await Array.fromAsync(backend.output as AsyncIterable<Buffer>));
        const { "Content-Length": _, ...rest } = fields;
        return whole(status, change(all), rest);
      }
      head(status, fields);
      await writeAll(backend.output, response, host, asksForPack ? options.cutAfterBytes : undefined);
    } finally {
      running.delete(backend.stop);
    }
  }
}

function refuse(request: HostRequest, options: HostOptions): 401 | 403 | undefined {
  const { authorization } = request.headers;
  if (options.credentials) {
    const { user, password } = options.credentials;
    const expected = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    if (authorization !== expected) return 401;
  }
  if (options.authorize && !options.authorize(request)) return authorization ? 403 : 401;
  return undefined;
}

function refuseDepth(asked: readonly string[], options: HostOptions): string | undefined {
  if (asked.length === 0) return undefined;
  if (options.depth === "unsupported") return "depth is not supported";
  const unknown = asked.find((keyword) => keyword === "deepen-since" || keyword === "deepen-not");
  return options.since || !unknown ? undefined : `${unknown} is not supported`;
}

function hiddenCapabilities(options: HostOptions): string[] {
  const since = ["deepen-since", "deepen-not"];
  if (options.depth === "unsupported") return ["shallow", "deepen-relative", ...since];
  return options.since ? [] : since;
}

/** The git directory of `/name` or `/name.git`, whether that is a bare repository or one with a work tree. */
function findRepository(root: string, name: string): string | undefined {
  if (!name || name.split("/").includes("..")) return undefined;
  const bare = name.replace(/\.git$/, "");
  const folders = [bare, `${bare}.git`].flatMap((each) => [join(root, each, ".git"), join(root, each)]);
  return folders.find((folder) => existsSync(join(folder, "HEAD")));
}
