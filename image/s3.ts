import { Readable } from "node:stream";
import { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { isFailure, StoreError } from "./errors.ts";
import type { ObjectStore } from "./stores.ts";

/** Two parts at once bound the memory of an upload; 5 MiB is the least S3 takes, and 10,000 of them the most. */
const partSize = 5 * 1024 * 1024;
const partsAtOnce = 2;

/** How long a stopped upload may take to withdraw its parts. */
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
      let broken: unknown;
      const source = Readable.from(remember(body, (error) => (broken = error)));
      const upload = new Upload({
        client,
        params: {
          Bucket: bucket,
          Key: keyOf(name),
          Body: source,
          ContentType: details.contentType,
          Metadata: { ...details.metadata },
        },
        partSize,
        queueSize: partsAtOnce,
      });
      const giveUp = () => setTimeout(() => void upload.abort(), graceMilliseconds).unref();
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        await upload.done();
      } catch (error) {
        // If the diff broke off, the upload failed because of it, and was withdrawn.
        if (broken !== undefined) throw broken;
        signal.throwIfAborted();
        throw isFailure(error) ? error : failed(bucket, keyOf(name), error as Error);
      } finally {
        signal.removeEventListener("abort", giveUp);
        source.destroy();
      }
    },
  };
}

/** Passes `body` on and tells what broke it: the upload may report an error of its own instead. */
async function* remember(
  body: AsyncIterable<Uint8Array>,
  tell: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    tell(error);
    throw error;
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
