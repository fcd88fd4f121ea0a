import { z } from "zod";
import type { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { lacking } from "./lacking.ts";
import type { LargeFile } from "./pointer.ts";
import type { Download, LfsServer } from "./server.ts";

/** What a server answers about each file, by its SHA-256: where it is, or why it is not there. */
export type Offers = ReadonlyMap<string, Download | GitError>;

/** More than the answers of known servers for 100 files, of which each has a signed URL and a token. */
const largestAnswerBytes = 4 * 1024 * 1024;
const mediaType = "application/vnd.git-lfs+json";

const download = z.object({
  href: z.string(),
  header: z.record(z.string().regex(/^[\w-]+$/), z.string().regex(/^[\x20-\x7e]*$/)).nullish(),
  expires_in: z.number().nullish(),
  expires_at: z.string().nullish(),
});
const answerSchema = z.object({
  transfer: z.string().nullish(),
  objects: z.array(
    z.object({
      oid: z.string(),
      authenticated: z.boolean().nullish(),
      actions: z.object({ download: download.nullish() }).nullish(),
      error: z.object({ code: z.number().nullish(), message: z.string().nullish() }).nullish(),
    }),
  ),
});

/**
 * Asks a server where some large files are. Source: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
 * @param files at most 100: many servers refuse more
 * @throws GitError where the server refuses all of them, or its answer is none
 */
export async function askFor(
  server: LfsServer,
  files: readonly LargeFile[],
  signal: AbortSignal,
): Promise<Offers> {
  const objects = files.map(({ oid, bytes }) => ({ oid, size: bytes }));
  // Without `ref`: the files are of all refs.
  const body = Buffer.from(JSON.stringify({ operation: "download", transfers: ["basic"], objects }));
  const headers = { Accept: mediaType, "Content-Type": mediaType };
  const answer = await server.post("objects/batch", headers, body, signal);
  const text = await readText(answer.body);
  if (answer.status !== 200) throw refused(answer.status, text, server);
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success) throw lacking("The answer is not of the LFS API");
  const { transfer, objects: offered } = parsed.data;
  if (transfer && transfer !== "basic")
    throw lacking(`The server offers the transfer ${shown(transfer)} only`);
  const now = Date.now();
  const offers = new Map<string, Download | GitError>();
  for (const { oid, authenticated, actions, error } of offered) {
    const offer = actions?.download;
    if (!offer) {
      const reason = error?.message ?? (error?.code ? `error ${error.code}` : "it offers no download");
      offers.set(oid, lacking(`The server answers: ${shown(server.redact(reason))}`));
      continue;
    }
    const { href, header, expires_in, expires_at } = offer;
    const expires = expires_in ? now + expires_in * 1_000 : Date.parse(expires_at ?? "");
    // Some servers send the year 1 for an offer that does not end.
    const holds = expires > 0 ? expires : Number.POSITIVE_INFINITY;
    const headers = header ?? {};
    const isAuthenticated = authenticated === true || Object.keys(headers).some(isAuthorization);
    offers.set(oid, { href, headers, isAuthenticated, expires: holds });
  }
  return offers;
}

const isAuthorization = (name: string) => name.toLowerCase() === "authorization";

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > largestAnswerBytes) throw lacking(`The answer has more than ${largestAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The message of a server says, for example, that a quota is used up. */
function refused(status: number, text: string, server: LfsServer): GitError {
  const { message } = (parseJson(text) ?? {}) as { message?: unknown };
  const words = typeof message === "string" ? `: ${shown(server.redact(message))}` : "";
  return lacking(`The LFS server refused the request (HTTP status ${status}${words})`);
}

const shown = (text: string) => printable(text).replace(/\s+/g, " ").trim().slice(0, 200);
