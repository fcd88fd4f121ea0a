import { Readable } from "node:stream";
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { StoreError } from "./errors.ts";
import type { ObjectStore } from "./stores.ts";

/** Two parts at once bound the memory of an upload; 5 MiB is the least S3 takes, and 10,000 of them the most. */
const partSize = 5 * 1024 * 1024;
const partsAtOnce = 2;

/** After so many bytes, the memory of parts that were sent is given back; left to itself, Bun lets it pile up. */
const bytesBetweenCollections = 3 * partSize;

/** How long a broken upload may take to be withdrawn. */
const graceMilliseconds = 5_000;

export function openS3(environment: Readonly<Record<string, string | undefined>>): S3Client {
  const custom = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL;
  // Other S3 servers seldom have a host name for each bucket.
  return new S3Client({ forcePathStyle: custom !== undefined, followRegionRedirects: true });
}

/** Objects below `place`, a `bucket` or `bucket/prefix`. */
export function s3Objects(client: S3Client, place: string, signal: AbortSignal): ObjectStore {
  const [bucket = "", ...prefix] = place.split("/");
  const keyOf = (name: string) => [...prefix, name].join("/");
  return {
    place: (name) => `s3://${bucket}/${keyOf(name)}`,
    async put(name, body, details) {
      const target = { Bucket: bucket, Key: keyOf(name) };
      let broken: unknown;
      const source = Readable.from(remember(body, (error) => (broken = error)));
      const late = new AbortController();
      const upload = new Upload({
        client: stoppable(client, signal, late.signal),
        params: {
          ...target,
          Body: source,
          ContentType: details.contentType,
          Metadata: { ...details.metadata },
        },
        partSize,
        queueSize: partsAtOnce,
        // Left to us, so that an upload that cannot be withdrawn does not hide why it was to be.
        leavePartsOnError: true,
      });
      const giveUp = () => setTimeout(() => late.abort(), graceMilliseconds).unref();
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        await upload.done();
      } catch (error) {
        if (upload.uploadId !== undefined) await withdraw(client, { ...target, UploadId: upload.uploadId });
        signal.throwIfAborted();
        // If the diff broke off, the upload failed because of it.
        if (broken !== undefined) throw broken;
        throw failed(bucket, keyOf(name), error as Error);
      } finally {
        signal.removeEventListener("abort", giveUp);
        source.destroy();
      }
    },
  };
}

/** Best effort: the bucket's lifecycle removes what cannot be removed now. */
async function withdraw(
  client: S3Client,
  upload: { Bucket: string; Key: string; UploadId: string },
): Promise<void> {
  const abortSignal = AbortSignal.timeout(graceMilliseconds);
  await client.send(new AbortMultipartUploadCommand(upload), { abortSignal }).catch(() => {});
}

/**
 * The client for an upload, which by itself knows no signal and waits for an answer for ever. What begins it may still
 * end, or nobody would know what to withdraw.
 */
function stoppable(client: S3Client, signal: AbortSignal, late: AbortSignal): S3Client {
  const send: S3Client["send"] = (command: Parameters<S3Client["send"]>[0]) =>
    client.send(command, { abortSignal: command instanceof CreateMultipartUploadCommand ? late : signal });
  return Object.assign(Object.create(client), { send });
}

/** Passes `body` on and tells what broke it: the upload may report an error of its own instead. */
async function* remember(
  body: AsyncIterable<Uint8Array>,
  tell: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  let passed = 0;
  try {
    // Step by step: an upload that breaks by itself throws into this generator, and that is not the body's doing.
    for (;;) {
      const next = await chunks.next().catch((error) => {
        tell(error);
        throw error;
      });
      if (next.done) return;
      passed += next.value.length;
      if (passed > bytesBetweenCollections) {
        passed = 0;
        Bun.gc(true);
      }
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

function failed(bucket: string, key: string, error: Error): StoreError {
  const place = `s3://${bucket}/${key}`;
  if (error.name === "NoSuchBucket") {
    return new StoreError(
      "bucket-not-found",
      `The bucket ${bucket} does not exist.`,
      "Create it, or correct RESULTS_BUCKET.",
      { cause: error },
    );
  }
  if (/AccessDenied|Forbidden/.test(error.name)) {
    return new StoreError(
      "store-denied",
      `${place} may not be written: ${error.message}.`,
      "Let the task role s3:PutObject there.",
      { cause: error },
    );
  }
  return new StoreError(
    "store-failed",
    `${place} could not be written: ${error.name}: ${error.message}.`,
    "The next run tries again.",
    { cause: error },
  );
}
