import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import { Construct } from "constructs";
import { document, type Statement } from "./iam.ts";

export interface BucketProps {
  /** The bucket's name: unique among all of AWS, 3 to 63 characters. */
  readonly name: string;
  /** Days until a diff is deleted. @default - diffs are kept */
  readonly keepDays?: number;
  /** ARN of the KMS key that encrypts objects. @default - S3's own key */
  readonly kmsKey?: string;
}

/** The results: private, versioned, encrypted, over TLS only, deleted with the stack only once it is empty. */
export class Bucket extends Construct {
  /** As given: how long it will be is known while the stack is put together. */
  readonly name: string;
  readonly arn: string;
  private readonly publicAccess: S3BucketPublicAccessBlock;

  constructor(scope: Construct, id: string, props: BucketProps) {
    super(scope, id);
    const { bucket, arn } = new S3Bucket(this, "Default", { bucket: props.name });
    this.name = props.name;
    this.arn = arn;
    this.publicAccess = new S3BucketPublicAccessBlock(this, "private", {
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
    new S3BucketServerSideEncryptionConfigurationA(this, "encryption", {
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
    new S3BucketLifecycleConfiguration(this, "lifecycle", {
      bucket,
      rule: [
        {
          id: "tidy",
          status: "Enabled",
          filter: [{ prefix: "" }],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 1 }],
          noncurrentVersionExpiration: [{ noncurrentDays: 30 }],
          // S3 takes one of the two, and removes delete markers by itself where it expires objects.
          expiration: [props.keepDays ? { days: props.keepDays } : { expiredObjectDeleteMarker: true }],
        },
      ],
      // A rule on old versions means nothing to S3 before the bucket has versions.
      dependsOn: [versioning],
    });
  }

  /** Lets these roles, and nobody over plain HTTP, use the bucket. Called once: a bucket has one policy. */
  grant(roleArns: readonly string[]): void {
    new S3BucketPolicy(this, "policy", {
      // By way of the public access block, as S3 refuses to change both at once.
      bucket: this.publicAccess.bucket,
      policy: document(this.statements(roleArns)),
    });
  }

  /**
   * The task roles may add objects, withdraw broken uploads and list; nobody may read or delete anything through this
   * policy. It speaks of the whole bucket, as that holds nothing but these results: a line for each repository would
   * fill it at about 150 repositories. What records a role may read, its own policies say.
   */
  private statements(roleArns: readonly string[]): Statement[] {
    const tasks = { Effect: "Allow", Principal: { AWS: roleArns } } as const;
    return [
      {
        Sid: "TlsOnly",
        Effect: "Deny",
        Principal: "*",
        Action: ["s3:*"],
        Resource: [this.arn, `${this.arn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
      {
        Sid: "PutObjects",
        ...tasks,
        Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
        Resource: [`${this.arn}/*`],
      },
      // Also what makes S3 answer 404 and not 403 for a step record that is not there.
      { Sid: "List", ...tasks, Action: ["s3:ListBucket"], Resource: [this.arn] },
    ];
  }
}
