import { createReadStream, existsSync } from "node:fs";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GitError } from "../lib/errors.ts";
import { inParallel } from "../lib/parallel.ts";
import { askToSend, type UploadOffer } from "./batch.ts";
import { type LargeFile, largeFileName } from "./pointer.ts";
import type { LfsServer, Offer } from "./server.ts";

const filesPerRequest = 100;
const filesAtOnce = 4;

/** Copies large files to a repository on this computer, where git-lfs looks for them. */
export async function copyLargeFiles(
  folder: string,
  target: string,
  files: readonly LargeFile[],
): Promise<number> {
  const git = existsSync(join(target, ".git")) ? join(target, ".git") : target;
  const lacking = files.filter((file) => !existsSync(join(git, largeFileName(file))));
  for (const file of lacking) {
    const path = join(git, largeFileName(file));
    await mkdir(dirname(path), { recursive: true });
    await copyFile(join(folder, largeFileName(file)), `${path}.part`);
    await rename(`${path}.part`, path);
  }
  return lacking.length;
}

/**
 * Sends large files of a bare repository to a server, those that it does not have. It checks their SHA-256 itself.
 * @returns how many it did not have
 * @throws GitError where it refuses one
 */
export async function pushLargeFiles(
  server: LfsServer,
  folder: string,
  files: readonly LargeFile[],
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Promise<number> {
  let sent = 0;
  for (let first = 0; first < files.length; first += filesPerRequest) {
    const some = files.slice(first, first + filesPerRequest);
    const offers = await askToSend(server, some, signal).catch((error) => {
      signal.throwIfAborted();
      throw error instanceof GitError && some[0] ? notTaken(some[0], error.message) : error;
    });
    await inParallel(some, filesAtOnce, async (file) => {
      const offer = offers.get(file.oid) ?? notTaken(file, "it does not answer for it");
      if (offer instanceof GitError) throw notTaken(file, offer.message);
      if (offer === "there") return;
      await send(server, folder, file, offer, signal);
      onProgress?.(`Pushed ${++sent} large files`);
    });
  }
  return sent;
}

async function send(
  server: LfsServer,
  folder: string,
  file: LargeFile,
  { upload, verify }: UploadOffer,
  signal: AbortSignal,
): Promise<void> {
  const { oid, bytes } = file;
  const body = createReadStream(join(folder, largeFileName(file))) as AsyncIterable<Uint8Array>;
  // S3 takes no body whose length it does not know.
  const headers = { "Content-Type": "application/octet-stream", "Content-Length": String(bytes) };
  await expectDone(server, upload, { method: "PUT", body, headers }, file, signal);
  if (verify === undefined) return;
  const type = "application/vnd.git-lfs+json";
  const told = Buffer.from(JSON.stringify({ oid, size: bytes }));
  const request = { method: "POST", body: told, headers: { Accept: type, "Content-Type": type } } as const;
  await expectDone(server, verify, request, file, signal);
}

async function expectDone(
  server: LfsServer,
  offer: Offer,
  request: Parameters<LfsServer["send"]>[1],
  file: LargeFile,
  signal: AbortSignal,
): Promise<void> {
  const answer = await server.send(offer, request, signal);
  answer.cancel();
  if (answer.status < 200 || answer.status > 299) throw notTaken(file, `HTTP status ${answer.status}`);
}

const notTaken = ({ oid }: LargeFile, reason: string) =>
  new GitError(
    "lfs-refused",
    `The host does not take the large file ${oid}: ${reason}.`,
    "No ref was pushed. Allow large files (LFS) there, and push again.",
  );
