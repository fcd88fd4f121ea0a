import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { StoreError } from "../lib/errors.ts";

/** Checks that a bucket's server obeys conditions, without which two runs could do the same step at the same time. */
export type ConditionCheck = (bucket: string, key: string) => Promise<void>;

/** 412: the condition does not hold. 409: another write of the object is under way. 404: it was deleted. */
export const conditionFailed = (error: unknown): boolean =>
  /PreconditionFailed|ConditionalRequestConflict|NoSuchKey/.test((error as Error).name);

/** It serves all repositories of a bucket, so it has a deadline of its own. */
const checkMilliseconds = 30_000;

/**
 * Returns a check that asks once for each bucket. It replaces an object that does not exist, which must fail.
 * A server that obeys If-Match obeys If-None-Match, which S3 had first.
 * @throws the SDK's errors, and StoreError where the server replaces it nevertheless
 */
export function openConditionCheck(client: S3Client): ConditionCheck {
  const checks = new Map<string, Promise<void>>();
  const check = async (bucket: string, key: string) => {
    const IfMatch = '"00000000000000000000000000000000"';
    const request = new PutObjectCommand({ Bucket: bucket, Key: key, Body: explanation, IfMatch });
    try {
      await client.send(request, { abortSignal: AbortSignal.timeout(checkMilliseconds) });
    } catch (error) {
      if (conditionFailed(error)) return;
      if ((error as Error).name !== "NotImplemented") {
        // The next write asks again.
        checks.delete(bucket);
        throw error;
      }
    }
    throw unconditional(bucket);
  };
  return (bucket, key) => {
    const checked = checks.get(bucket) ?? check(bucket, key);
    checks.set(bucket, checked);
    return checked;
  };
}

const explanation = "This object shows that the server ignores If-Match. It may be deleted.\n";

const unconditional = (bucket: string) =>
  new StoreError(
    "store-unconditional",
    `The server of the bucket ${bucket} ignores the conditions If-Match and If-None-Match, so two runs could do the same step.`,
    "Use a server that obeys them (Amazon S3, MinIO, Ceph, R2), in its newest version.",
  );
