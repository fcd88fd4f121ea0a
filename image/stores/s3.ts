import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { StoreError } from "../lib/errors.ts";
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
  const options = () => ({ abortSignal: signal.aborted ? AbortSignal.timeout(graceMilliseconds) : signal });
  const small = async <T>(name: string, how: Access, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw failed(bucket, keyOf(name), how, error as Error);
    }
  };
  return {
    get: (name) =>
      small(name, "read", async () => {
        try {
          const { Body, ETag = "" } = await client.send(
            new GetObjectCommand({ Bucket: bucket, Key: keyOf(name) }),
            options(),
          );
          return { text: (await Body?.transformToString()) ?? "", tag: ETag };
        } catch (error) {
          if ((error as Error).name === "NoSuchKey") return undefined;
          throw error;
        }
      }),
    putIf: (name, text, tag, { contentType, metadata }) =>
      small(name, "written", async () => {
        const condition = tag === undefined ? { IfNoneMatch: "*" } : { IfMatch: tag };
        const object = {
          Bucket: bucket,
          Key: keyOf(name),
          Body: text,
          ContentType: contentType,
          Metadata: { ...metadata },
        };
        try {
          return (await client.send(new PutObjectCommand({ ...object, ...condition }), options())).ETag;
        } catch (error) {
          // 412: it is there, or was changed. 409: another write to it is under way.
          if (/PreconditionFailed|ConditionalRequestConflict|NoSuchKey/.test((error as Error).name))
            return undefined;
          throw error;
        }
      }),
    async *list(prefix, after) {
      const range = { Prefix: keyOf(prefix), StartAfter: after && keyOf(after) };
      const pages = paginateListObjectsV2({ client }, { Bucket: bucket, ...range }, options());
      const below = keyOf("").length;
      try {
        for await (const { Contents = [] } of pages) {
          for (const { Key = "", Size = 0 } of Contents) yield { name: Key.slice(below), bytes: Size };
        }
      } catch (error) {
        signal.throwIfAborted();
        throw failed(bucket, keyOf(prefix), "read", error as Error);
      }
    },
    async *read(name) {
      try {
        const { Body } = await client.send(
          new GetObjectCommand({ Bucket: bucket, Key: keyOf(name) }),
          options(),
        );
        if (Body) yield* Body as Readable;
      } catch (error) {
        signal.throwIfAborted();
        throw failed(bucket, keyOf(name), "read", error as Error);
      }
    },
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
        throw failed(bucket, keyOf(name), "written", error as Error);
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

type Access = "read" | "written";

const permissions: Record<Access, string> = {
  read: "s3:GetObject and s3:ListBucket",
  written: "s3:PutObject",
};

function failed(bucket: string, key: string, how: Access, error: Error): StoreError {
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
      `${place} may not be ${how}: ${error.message}.`,
      `Let the task role ${permissions[how]} there.`,
      { cause: error },
    );
  }
  return new StoreError(
    "store-failed",
    `${place} could not be ${how}: ${error.name}: ${error.message}.`,
    "The next run tries again.",
    { cause: error },
  );
}
