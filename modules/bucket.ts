import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import { Construct } from "constructs";
import { policyDocument, type Statement } from "./iam.ts";

export interface BucketProps {
  /** The bucket's name: globally unique, 3 to 63 characters. */
  readonly name: string;
  /** Days until an object expires. @default - objects are kept */
  readonly retentionDays?: number;
  /** ARN of the KMS key that encrypts objects. @default - S3's own key */
  readonly kmsKey?: string;
}

/** The bucket for results: private, versioned, encrypted, TLS only. Destroying the stack does not delete it unless it is empty. */
export class Bucket extends Construct {
  /** The name as given, not a reference: its length is known during synthesis. */
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
          filter: [{}],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 1 }],
          noncurrentVersionExpiration: [{ noncurrentDays: 30 }],
          // S3 accepts only one of the two. Where it expires objects, it removes delete markers by itself.
          expiration: [
            props.retentionDays ? { days: props.retentionDays } : { expiredObjectDeleteMarker: true },
          ],
        },
      ],
      // The rule for noncurrent versions requires versioning.
      dependsOn: [versioning],
    });
  }

  /** Attaches the bucket policy, which grants these roles access and denies plain HTTP. Call it once: a bucket has one policy. */
  grant(roleArns: readonly string[]): void {
    new S3BucketPolicy(this, "policy", {
      // A reference to the public access block, because S3 refuses concurrent changes of both.
      bucket: this.publicAccess.bucket,
      policy: policyDocument(this.statements(roleArns)),
    });
  }

  /**
   * The task roles may put objects, abort uploads and list. Nobody may read or delete objects through this policy; each
   * role's own policy grants reading its records. The resource is the whole bucket, which contains only results: one
   * entry a repository would exceed the size limit at about 150 repositories.
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
      // Without it, S3 answers 403 instead of 404 for a missing step record.
      { Sid: "List", ...tasks, Action: ["s3:ListBucket"], Resource: [this.arn] },
    ];
  }
}
