import { spawn } from "node:child_process";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { hermetic } from "./git.ts";
import type { Traffic } from "./stream.ts";

export interface BackendRequest {
  /** The git directory to serve. */
  directory: string;
  path: string;
  query: string;
  method: string;
  headers: IncomingHttpHeaders;
  /** As it comes in, or (already unpacked) as it was changed on the way. */
  body: IncomingMessage | Buffer;
  protocol: string | undefined;
  configuration: Record<string, string>;
  traffic: Traffic;
}

export interface Backend {
  head: Promise<{ status: number; fields: Record<string, string> }>;
  /** The body of the answer; to be read only after `head`. */
  output: Readable;
  stop: () => void;
}

/** One run of git's own CGI program. */
export function startBackend(program: string, request: BackendRequest): Backend {
  const { headers, body, traffic } = request;
  const env = hermetic({
    ...request.configuration,
    GIT_PROJECT_ROOT: request.directory,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: request.path,
    QUERY_STRING: request.query,
    REQUEST_METHOD: request.method,
    REMOTE_ADDR: "127.0.0.1",
    ...given("CONTENT_TYPE", headers["content-type"]),
    ...given("GIT_PROTOCOL", request.protocol),
    ...(Buffer.isBuffer(body)
      ? { CONTENT_LENGTH: String(body.length) }
      : {
          ...given("CONTENT_LENGTH", headers["content-length"]),
          ...given("HTTP_CONTENT_ENCODING", headers["content-encoding"]),
        }),
  });
  // A group of its own, so that the upload-pack and pack-objects below it end with it.
  const child = spawn(program, [], { env, stdio: ["pipe", "pipe", "ignore"], detached: true });
  child.on("error", () => child.stdout.destroy());
  child.stdin.on("error", () => {});
  if (Buffer.isBuffer(body)) child.stdin.end(body);
  else {
    body.on("data", (chunk: Buffer) => {
      traffic.bytesReceived += chunk.length;
    });
    body.pipe(child.stdin);
  }
  const stop = () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It ended in this very moment.
    }
  };
  return { head: readHead(child.stdout), output: child.stdout, stop };
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

/** Reads up to the empty line that ends a CGI program's header and leaves the rest to be read. */
async function readHead(output: Readable): Promise<{ status: number; fields: Record<string, string> }> {
  let seen = Buffer.alloc(0);
  let end = -1;
  while (end < 0) {
    const chunk = output.read() as Buffer | null;
    if (chunk) seen = Buffer.concat([seen, chunk]);
    else if (output.readableEnded || output.destroyed) throw new Error("git http-backend gave no answer");
    else await readable(output);
    end = seen.indexOf("\r\n\r\n");
  }
  output.unshift(seen.subarray(end + 4));
  const fields: Record<string, string> = {};
  for (const line of seen.toString("latin1", 0, end).split("\r\n")) {
    const colon = line.indexOf(":");
    fields[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  const { Status, ...rest } = fields;
  return { status: Number.parseInt(Status ?? "200", 10), fields: rest };
}

function readable(output: Readable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const name of ["readable", "end", "close"]) output.off(name, done);
      resolve();
    };
    for (const name of ["readable", "end", "close"]) output.on(name, done);
  });
}
