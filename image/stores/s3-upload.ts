import { Readable } from "node:stream";
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, type S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { ObjectDetails } from "./stores.ts";

/** In bytes. Two parts at once bound an upload's memory. S3 accepts parts from 5 MiB on, and 10,000 of them. */
export const partBytes = 5 * 1024 * 1024;
const partsAtOnce = 2;

/** After so many bytes, the memory of the sent parts is freed. Bun alone would let it grow. */
const bytesBetweenCollections = 3 * partBytes;

/** How long the withdrawal of a failed upload may take. */
export const withdrawalMilliseconds = 5_000;

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

/**
 * Streams `body` into a new object. If anything fails, no object appears, and the upload is withdrawn from S3. An object
 * that is there stays as it is: S3 then answers with PreconditionFailed.
 */
export async function upload(
  client: S3Client,
  target: Target,
  body: AsyncIterable<Uint8Array>,
  { contentType, metadata }: ObjectDetails,
  signal: AbortSignal,
): Promise<void> {
  const source = Readable.from(freeingMemory(body));
  const tooLate = new AbortController();
  const upload = new Upload({
    client: stoppable(client, signal, tooLate.signal),
    params: {
      ...target,
      Body: source,
      ContentType: contentType,
      Metadata: { ...metadata },
      IfNoneMatch: "*",
    },
    partSize: partBytes,
    queueSize: partsAtOnce,
    // `withdraw` does it below, so that a failed withdrawal does not hide the first error.
    leavePartsOnError: true,
  });
  const giveUp = () => setTimeout(() => tooLate.abort(), withdrawalMilliseconds).unref();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await upload.done();
  } catch (error) {
    if (upload.uploadId !== undefined) await withdraw(client, target, upload.uploadId);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
    source.destroy();
  }
}

/** Withdraws an upload as well as it can. The bucket's lifecycle removes the rest. */
async function withdraw(client: S3Client, target: Target, uploadId: string): Promise<void> {
  const abortSignal = AbortSignal.timeout(withdrawalMilliseconds);
  const request = new AbortMultipartUploadCommand({ ...target, UploadId: uploadId });
  await client.send(request, { abortSignal }).catch(() => {});
}

/**
 * Returns a client for an upload that stops with the signal. `Upload` itself takes no signal, and waits without end.
 * The request that begins an upload may still finish until `tooLate`: only its answer names what to withdraw.
 */
function stoppable(client: S3Client, signal: AbortSignal, tooLate: AbortSignal): S3Client {
  const send: S3Client["send"] = (command: Parameters<S3Client["send"]>[0]) =>
    client.send(command, { abortSignal: command instanceof CreateMultipartUploadCommand ? tooLate : signal });
  return Object.assign(Object.create(client), { send });
}

async function* freeingMemory(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesBetweenCollections) {
      bytes = 0;
      Bun.gc(true);
    }
    yield chunk;
  }
}
