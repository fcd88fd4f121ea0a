import { expect, test } from "bun:test";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

const template = new Template(SMALLEST);

test("the bucket's name contains the stack and the account, and destroying the stack does not empty it", () => {
  const bucket = template.get("aws_s3_bucket.results");
  expect(bucket.bucket).toBe(`git-diff-results-${ref("data.aws_caller_identity.account.account_id")}`);
  expect(bucket).not.toHaveProperty("force_destroy");
});

test("the bucket is private, versioned, encrypted and without ACLs", () => {
  expect(template.get("aws_s3_bucket_public_access_block.results_private")).toMatchObject({
    block_public_acls: true,
    block_public_policy: true,
    ignore_public_acls: true,
    restrict_public_buckets: true,
  });
  expect(template.get("aws_s3_bucket_versioning.results_versioning")).toMatchObject({
    versioning_configuration: { status: "Enabled" },
  });
  expect(template.get("aws_s3_bucket_server_side_encryption_configuration.results_encryption")).toMatchObject(
    {
      rule: [{ apply_server_side_encryption_by_default: { sse_algorithm: "AES256" } }],
    },
  );
  expect(template.get("aws_s3_bucket_ownership_controls.results_ownership")).toMatchObject({
    rule: { object_ownership: "BucketOwnerEnforced" },
  });
});

test.each([
  [undefined, { expired_object_delete_marker: true }],
  [90, { days: 90 }],
])(
  "with a retention of %p days, objects expire accordingly, and incomplete uploads after one day",
  (resultRetentionDays, expiration) => {
    const found = new Template({ ...SMALLEST, resultRetentionDays });
    expect(found.get("aws_s3_bucket_lifecycle_configuration.results_lifecycle").rule).toEqual([
      {
        id: "tidy",
        status: "Enabled",
        filter: [{}],
        abort_incomplete_multipart_upload: [{ days_after_initiation: 1 }],
        noncurrent_version_expiration: [{ noncurrent_days: 30 }],
        expiration: [expiration],
      },
    ]);
  },
);

test("the policy denies plain HTTP to everybody and allows the tasks to put and list", () => {
  const arn = ref("aws_s3_bucket.results.arn");
  const tasks = { AWS: [ref("aws_iam_role.task-all_worker.arn")] };
  expect(template.statements("aws_s3_bucket_policy.results_policy")).toEqual([
    {
      Sid: "TlsOnly",
      Effect: "Deny",
      Principal: "*",
      Action: ["s3:*"],
      Resource: [arn, `${arn}/*`],
      Condition: { Bool: { "aws:SecureTransport": "false" } },
    },
    {
      Sid: "PutObjects",
      Effect: "Allow",
      Principal: tasks,
      Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
      Resource: [`${arn}/*`],
    },
    { Sid: "List", Effect: "Allow", Principal: tasks, Action: ["s3:ListBucket"], Resource: [arn] },
  ]);
});
