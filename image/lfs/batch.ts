import { z } from "zod";
import type { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { lacking } from "./lacking.ts";
import type { LargeFile } from "./pointer.ts";
import type { LfsServer, Offer } from "./server.ts";

/** What a server answers about each file, by its SHA-256: where it is, or why it is not there. */
export type Offers = ReadonlyMap<string, Offer | GitError>;

/** Where a server takes a file, and where it wants to be told that it has come. */
export interface UploadOffer {
  readonly upload: Offer;
  readonly verify: Offer | undefined;
}

/** More than the answers of known servers for 100 files, of which each has a signed URL and a token. */
const largestAnswerBytes = 4 * 1024 * 1024;
const mediaType = "application/vnd.git-lfs+json";

const action = z.object({
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
      actions: z
        .object({ download: action.nullish(), upload: action.nullish(), verify: action.nullish() })
        .nullish(),
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
  const offered = await ask(server, "download", files, signal);
  return new Map(
    offered.map((answer) => {
      const { oid, actions } = answer;
      return [oid, actions?.download ? toOffer(actions.download, answer) : whyNot(server, answer)];
    }),
  );
}

/**
 * Asks a server where it takes some large files.
 * @param files at most 100
 * @returns "there" for those that it has; nothing for those that it does not answer for
 * @throws GitError as above
 */
export async function askToSend(
  server: LfsServer,
  files: readonly LargeFile[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, UploadOffer | "there" | GitError>> {
  const offered = await ask(server, "upload", files, signal);
  return new Map(
    offered.map((answer): [string, UploadOffer | "there" | GitError] => {
      const { oid, actions, error } = answer;
      if (error) return [oid, whyNot(server, answer)];
      if (!actions?.upload) return [oid, "there"];
      const verify = actions.verify ? toOffer(actions.verify, answer) : undefined;
      return [oid, { upload: toOffer(actions.upload, answer), verify }];
    }),
  );
}

type Answer = z.infer<typeof answerSchema>["objects"][number];

async function ask(
  server: LfsServer,
  operation: "download" | "upload",
  files: readonly LargeFile[],
  signal: AbortSignal,
): Promise<readonly Answer[]> {
  const objects = files.map(({ oid, bytes }) => ({ oid, size: bytes }));
  // Without `ref`: the files are of all refs.
  const body = Buffer.from(JSON.stringify({ operation, transfers: ["basic"], objects }));
  const headers = { Accept: mediaType, "Content-Type": mediaType };
  const answer = await server.post("objects/batch", headers, body, signal);
  const text = await readText(answer.body);
  if (answer.status !== 200) throw refused(answer.status, text, server);
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success) throw lacking("The answer is not of the LFS API");
  const { transfer, objects: offered } = parsed.data;
  if (transfer && transfer !== "basic")
    throw lacking(`The server offers the transfer ${shown(transfer)} only`);
  return offered;
}

function whyNot(server: LfsServer, { error }: Answer): GitError {
  const reason = error?.message ?? (error?.code ? `error ${error.code}` : "it offers no download");
  return lacking(`The server answers: ${shown(server.redact(reason))}`);
}

function toOffer(
  { href, header, expires_in, expires_at }: z.infer<typeof action>,
  { authenticated }: Answer,
): Offer {
  const expires = expires_in ? Date.now() + expires_in * 1_000 : Date.parse(expires_at ?? "");
  // Some servers send the year 1 for an offer that does not end.
  const holds = expires > 0 ? expires : Number.POSITIVE_INFINITY;
  const headers = header ?? {};
  const isAuthenticated = authenticated === true || Object.keys(headers).some(isAuthorization);
  return { href, headers, isAuthenticated, expires: holds };
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
