import type { Readable } from "node:stream";
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import type { FetchHttpHandler } from "@smithy/fetch-http-handler";
import type { Environment } from "../lib/environment.ts";
import { StoreError } from "../lib/errors.ts";
import { type ConditionCheck, conditionFailed, openConditionCheck } from "./condition-check.ts";
import { notThere } from "./not-there.ts";
import { inAnyRegion } from "./s3-regions.ts";
import { upload, withdrawalMilliseconds } from "./s3-upload.ts";
import type { ObjectStore } from "./stores.ts";

/** Sorts before all records, so that a search for the newest one does not meet it. */
const checkName = "_steps/-check";

/** S3, shared by all repositories of a run. */
export interface S3 {
  readonly client: S3Client;
  /** Keeps objects below `destination`, a `bucket` or `bucket/prefix`. */
  objects(destination: string, signal: AbortSignal): ObjectStore;
}

export function openS3(environment: Environment, requestHandler: FetchHttpHandler): S3 {
  const endpoint = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL;
  // Other S3 servers seldom have a host name for each bucket.
  const forcePathStyle = endpoint !== undefined;
  const configuration = {
    requestHandler,
    forcePathStyle,
    // The default depends on the handler's class name, which a minified bundle changes.
    expectContinueHeader: false,
  };
  const here = new S3Client(configuration);
  const { credentials } = here.config;
  const client = inAnyRegion(here, (region) => new S3Client({ ...configuration, credentials, region }));
  // Amazon's own obeys conditions.
  const check = endpoint === undefined ? undefined : openConditionCheck(client);
  return { client, objects: (destination, signal) => s3Objects(client, check, destination, signal) };
}

/** @param checkConditions undefined for a server that is known to obey conditions */
export function s3Objects(
  client: S3Client,
  checkConditions: ConditionCheck | undefined,
  destination: string,
  signal: AbortSignal,
): ObjectStore {
  const [bucket = "", ...prefix] = destination.split("/");
  const keyOf = (name: string) => [...prefix, name].join("/");
  const options = () => ({
    // After the end of the run, a claim may still be released, for a while.
    abortSignal: signal.aborted ? AbortSignal.timeout(withdrawalMilliseconds) : signal,
  });
  const fail = (name: string, access: Access, error: unknown): never => {
    signal.throwIfAborted();
    throw error instanceof StoreError ? error : toStoreError(bucket, keyOf(name), access, error as Error);
  };
  return {
    address: (name) => `s3://${bucket}/${keyOf(name)}`,
    async get(name) {
      try {
        const request = new GetObjectCommand({ Bucket: bucket, Key: keyOf(name) });
        const { Body, ETag = "", Expiration } = await client.send(request, options());
        return { text: (await Body?.transformToString()) ?? "", etag: ETag, ...parseExpiration(Expiration) };
      } catch (error) {
        if ((error as Error).name === "NoSuchKey") return undefined;
        return fail(name, "read", error);
      }
    },
    async getBytes(name) {
      try {
        const request = new GetObjectCommand({ Bucket: bucket, Key: keyOf(name) });
        const { Body, ETag = "" } = await client.send(request, options());
        return { bytes: Buffer.from((await Body?.transformToByteArray()) ?? []), etag: ETag };
      } catch (error) {
        if ((error as Error).name === "NoSuchKey") return undefined;
        return fail(name, "read", error);
      }
    },
    async putIf(name, content, etag, { contentType, metadata }) {
      const request = new PutObjectCommand({
        Bucket: bucket,
        Key: keyOf(name),
        Body: content,
        ContentType: contentType,
        Metadata: { ...metadata },
        ...(etag === undefined ? { IfNoneMatch: "*" } : { IfMatch: etag }),
      });
      try {
        await checkConditions?.(bucket, keyOf(checkName));
        return (await client.send(request, options())).ETag;
      } catch (error) {
        if (conditionFailed(error)) return undefined;
        return fail(name, "written", error);
      }
    },
    async *list(prefix, after) {
      const range = { Prefix: keyOf(prefix), StartAfter: after && keyOf(after) };
      const pages = paginateListObjectsV2({ client }, { Bucket: bucket, ...range }, options());
      const below = keyOf("").length;
      try {
        for await (const { Contents = [] } of pages) {
          for (const { Key = "", Size = 0 } of Contents) yield { name: Key.slice(below), bytes: Size };
        }
      } catch (error) {
        fail(prefix, "read", error);
      }
    },
    async *read(name, part) {
      try {
        const Range = part && `bytes=${part.start}-${part.start + part.length - 1}`;
        const request = new GetObjectCommand({ Bucket: bucket, Key: keyOf(name), Range });
        const { Body } = await client.send(request, options());
        if (Body) yield* Body as Readable;
      } catch (error) {
        fail(name, "read", error);
      }
    },
    async lockedUntil(name) {
      try {
        const request = new HeadObjectCommand({ Bucket: bucket, Key: keyOf(name) });
        return (await client.send(request, options())).ObjectLockRetainUntilDate;
      } catch (error) {
        // It has no body that would name the error.
        if ((error as Error).name === "NotFound") return undefined;
        return fail(name, "read", error);
      }
    },
    async extendLock(name, enough, until) {
      const target = { Bucket: bucket, Key: keyOf(name) };
      try {
        const {
          ObjectLockMode: Mode = "GOVERNANCE",
          ObjectLockRetainUntilDate: end,
          VersionId,
        } = await client.send(new HeadObjectCommand(target), options());
        if (end && end >= enough) return end;
        // This very version: a newer one has a lock of its own, which may be longer.
        const Retention = { Mode, RetainUntilDate: until };
        await client.send(new PutObjectRetentionCommand({ ...target, VersionId, Retention }), options());
        return until;
      } catch (error) {
        if (/Object ?Lock ?Configuration/.test((error as Error).message))
          throw unlocked(bucket, error as Error);
        return fail(name, "locked", error);
      }
    },
    async put(name, body, details) {
      // The upload reports an error of its own where its body fails, so the body's error is kept here.
      let bodyError: unknown;
      const watched = onError(body, (error) => {
        bodyError = error;
      });
      try {
        await upload(client, { Bucket: bucket, Key: keyOf(name) }, watched, details, signal);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (bodyError !== undefined) throw bodyError;
        if (conditionFailed(error)) return false;
        return fail(name, "written", error);
      }
    },
  };
}

/**
 * Parses the header that S3 sends where a lifecycle rule expires the object.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 */
function parseExpiration(header = ""): { expires?: Date } {
  const time = Date.parse(/expiry-date="([^"]+)"/.exec(header)?.[1] ?? "");
  return Number.isNaN(time) ? {} : { expires: new Date(time) };
}

/** Passes `body` on, and calls `report` with the error that it fails with. */
async function* onError(
  body: AsyncIterable<Uint8Array>,
  report: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  try {
    // Not `for await`: a failed upload throws into this generator, and that error is not the body's.
    for (;;) {
      const next = await chunks.next().catch((error) => {
        report(error);
        throw error;
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

type Access = "read" | "written" | "locked";

const permissions: Record<Access, string> = {
  read: "s3:GetObject and s3:ListBucket",
  written: "s3:PutObject",
  locked: "s3:GetObject, s3:GetObjectRetention, s3:PutObjectRetention, and kms:Decrypt if a key encrypts it,",
};

const unlocked = (bucket: string, cause: Error) =>
  new StoreError(
    "store-unlocked",
    `The bucket ${bucket} has no Object Lock: ${cause.message}.`,
    "Enable it for the bucket, or leave out lockDays and --lock-days.",
    { cause },
  );

function toStoreError(bucket: string, key: string, access: Access, error: Error): StoreError {
  const address = `s3://${bucket}/${key}`;
  const cause = { cause: error };
  if (error.name === "NoSuchBucket") {
    const remedy = "Create it, or correct RESULTS_BUCKET.";
    return new StoreError("bucket-not-found", `The bucket ${bucket} does not exist.`, remedy, cause);
  }
  // The answer to a HEAD has no body that would name the error.
  const isDenied = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 403;
  if (isDenied || /AccessDenied|Forbidden/.test(error.name)) {
    const message = `${address} may not be ${access}: ${error.message}.`;
    return new StoreError(
      "store-denied",
      message,
      // Where a key encrypts the bucket, S3 names what is missing for the key.
      /kms:/.test(error.message)
        ? "Allow the task role kms:GenerateDataKey and kms:Decrypt on the bucket's key."
        : `Allow the task role ${permissions[access]} there.`,
      cause,
    );
  }
  if (error.name === "NoSuchKey") return notThere(address, cause);
  const message = `${address} could not be ${access}: ${error.name}: ${error.message}.`;
  return new StoreError("store-failed", message, "The next run tries again.", cause);
}
