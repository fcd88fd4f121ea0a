import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";

export interface Traffic {
  bytesSent: number;
  bytesReceived: number;
}

/** The whole body, unpacked: for the few requests that have to be looked into. */
export async function readBody(request: IncomingMessage, traffic: Traffic): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  traffic.bytesReceived += body.length;
  return request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
}

/** Sends on as fast as the client takes it; with `limit`, breaks the connection off after so many bytes. */
export async function writeAll(from: Readable, to: ServerResponse, traffic: Traffic, limit = Infinity) {
  let left = limit;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    if (to.destroyed) return;
    const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= part.length;
    traffic.bytesSent += part.length;
    if (left <= 0) {
      to.write(part, () => to.socket?.destroy());
      return;
    }
    if (!to.write(part)) await room(to);
  }
  to.end();
}

/** Until the client has taken what was written, or has gone. */
function room(to: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      to.off("drain", done);
      to.off("close", done);
      resolve();
    };
    to.on("drain", done);
    to.on("close", done);
  });
}
