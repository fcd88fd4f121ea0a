import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketLoggingA } from "@cdktf/provider-aws/lib/s3-bucket-logging";
import { S3BucketObjectLockConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-object-lock-configuration";
import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { policyDocument, type Statement } from "./iam.ts";
import { athenaPrefix, type Results } from "./results.ts";

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
const LIFECYCLE_RULES = 1_000;

export interface BucketProps {
  /** The bucket's name: globally unique, 3 to 63 characters. */
  readonly name: string;
  /** The name of the bucket that S3 writes a log of every access to. @default - no log */
  readonly accessLogs?: string;
  /** Days until an object expires: all, or those whose names begin with one of these. @default - objects are kept */
  readonly retention?: { readonly days: number; readonly prefixes: readonly string[] | undefined };
  /** Whether there are results of queries, which expire after a week. */
  readonly queried: boolean;
  /** Whether there are mirrors, whose packs and large files nobody may replace. */
  readonly mirrors: boolean;
  /** For how many days nobody without a permission of its own can delete an object. @default - no lock */
  readonly lockDays?: number;
  /** ARN of the KMS key that encrypts objects. @default - S3's own key */
  readonly kmsKey?: string;
}

/** The bucket for results: private, versioned, encrypted, TLS only. Destroying the stack does not delete it unless it is empty. */
export class Bucket extends Construct implements Results {
  /** The name as given, not a reference: its length is known during synthesis. */
  readonly name: string;
  readonly prefix = "";
  readonly isShared = false;
  readonly lockDays: number | undefined;
  /** What has to be there before a result is stored. */
  readonly rules: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: BucketProps) {
    super(scope, id);
    const { bucket, arn } = new S3Bucket(this, "Default", { bucket: props.name });
    this.name = props.name;
    this.lockDays = props.lockDays;
    const publicAccess = new S3BucketPublicAccessBlock(this, "private", {
      bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, "ownership", {
      bucket,
      rule: { objectOwnership: "BucketOwnerEnforced" },
    });
    const versioning = new S3BucketVersioningA(this, "versioning", {
      bucket,
      versioningConfiguration: { status: "Enabled" },
    });
    const encryption = new S3BucketServerSideEncryptionConfigurationA(this, "encryption", {
      bucket,
      rule: [
        {
          applyServerSideEncryptionByDefault: props.kmsKey
            ? { sseAlgorithm: "aws:kms", kmsMasterKeyId: props.kmsKey }
            : { sseAlgorithm: "AES256" },
          bucketKeyEnabled: props.kmsKey !== undefined,
        },
      ],
    });
    // Not by the bucket's own `object_lock_enabled`, whose change would replace it. A bucket that is there can be locked since
    // November 2023: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
    const lock =
      props.lockDays === undefined
        ? []
        : [
            new S3BucketObjectLockConfigurationA(this, "lock", {
              bucket,
              rule: { defaultRetention: { mode: "GOVERNANCE", days: props.lockDays } },
              dependsOn: [versioning],
            }),
          ];
    const { days, prefixes } = props.retention ?? {};
    const rules = 1 + (props.queried ? 1 : 0) + (prefixes?.length ?? 0);
    this.node.addValidation({
      validate: () =>
        rules > LIFECYCLE_RULES
          ? [
              `resultRetentionDays needs ${rules} rules, one for the diffs of each repository, since mirrors keep everything; S3 allows ${LIFECYCLE_RULES} a bucket: distribute the repositories over stacks, or remove resultRetentionDays`,
            ]
          : [],
    });
    new S3BucketLifecycleConfiguration(this, "lifecycle", {
      bucket,
      rule: [
        {
          id: "tidy",
          status: "Enabled",
          filter: [{}],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 1 }],
          noncurrentVersionExpiration: [{ noncurrentDays: 30 }],
          // S3 accepts only one of the two. Where it expires objects, it removes delete markers by itself.
          expiration: [days && !prefixes ? { days } : { expiredObjectDeleteMarker: true }],
        },
        ...(props.queried
          ? [
              {
                id: "expire-queries",
                status: "Enabled",
                filter: [{ prefix: athenaPrefix }],
                expiration: [{ days: 7 }],
              },
            ]
          : []),
        ...(days && prefixes ? prefixes : []).map((prefix) => ({
          id: `expire-${prefix.replace(/\/$/, "")}`,
          status: "Enabled",
          filter: [{ prefix }],
          expiration: [{ days }],
        })),
      ],
      // The rule for noncurrent versions requires versioning.
      dependsOn: [versioning],
    });
    if (props.accessLogs) {
      new S3BucketLoggingA(this, "access-logs", {
        bucket,
        targetBucket: props.accessLogs,
        targetPrefix: `${props.name}/`,
      });
    }
    const policy = new S3BucketPolicy(this, "policy", {
      // A reference to the public access block, because S3 refuses concurrent changes of both.
      bucket: publicAccess.bucket,
      policy: policyDocument([
        {
          Sid: "TlsOnly",
          Effect: "Deny",
          Principal: "*",
          Action: ["s3:*"],
          Resource: [arn, `${arn}/*`],
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
        ...(props.mirrors ? [createOnly(`${arn}/*.git/objects/pack/*`, `${arn}/*.git/lfs/objects/*`)] : []),
      ]),
    });
    this.rules = [policy, versioning, encryption, ...lock];
  }
}

/**
 * Denies every write that would replace an object. The parts of a multipart upload carry no condition, only its end does:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
 */
const createOnly = (...resources: readonly string[]): Statement => ({
  Sid: "CreatePacksOnly",
  Effect: "Deny",
  Principal: "*",
  Action: ["s3:PutObject"],
  Resource: [...resources],
  Condition: { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } },
});
