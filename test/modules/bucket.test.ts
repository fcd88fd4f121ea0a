import { describe, expect, test } from "bun:test";
import { readEnvironment } from "../../image/config/environment.ts";
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
    const found = new Template({ ...SMALLEST, resultRetentionDays, tables: false });
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

test("the policy denies plain HTTP to everybody", () => {
  const arn = ref("aws_s3_bucket.results.arn");
  expect(template.statements("aws_s3_bucket_policy.results_policy")).toEqual([
    {
      Sid: "TlsOnly",
      Effect: "Deny",
      Principal: "*",
      Action: ["s3:*"],
      Resource: [arn, `${arn}/*`],
      Condition: { Bool: { "aws:SecureTransport": "false" } },
    },
  ]);
});

test("S3 logs every access where a bucket is named for it", () => {
  const logged = new Template({ ...SMALLEST, accessLogs: "acme-access-logs" });
  expect(logged.get("aws_s3_bucket_logging.results_access-logs")).toMatchObject({
    bucket: ref("aws_s3_bucket.results.bucket"),
    target_bucket: "acme-access-logs",
    target_prefix: `git-diff-results-${ref("data.aws_caller_identity.account.account_id")}/`,
  });
});

describe("a bucket that exists already", () => {
  const existing = new Template({ ...SMALLEST, bucket: "acme-data/git/diffs", tables: false });
  const arn = `arn:${ref("data.aws_partition.account_partition.partition")}:s3:::acme-data`;
  const put = ["s3:PutObject", "s3:AbortMultipartUpload"];

  test("is not touched by the stack", () => {
    expect(existing.addresses.filter((address) => address.includes("s3_bucket"))).toEqual([]);
  });

  test("receives the results below its prefix, and nothing beside it may be written or read", () => {
    const [{ resultsBucket } = {}]: { resultsBucket?: string }[] = JSON.parse(
      existing.container().environment.find(({ name }) => name === "REPOSITORIES")?.value ?? "",
    );
    expect(resultsBucket).toBe("acme-data/git/diffs/api");
    const granted = existing
      .statements("aws_iam_policy.task-all_worker_1")
      .filter(({ Action }) => Action.some((action) => action.startsWith("s3:")));
    expect(granted).toEqual([
      { Sid: "PutResults", Effect: "Allow", Action: put, Resource: [`${arn}/git/diffs/api/*`] },
      {
        Sid: "ReadStepRecords",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: [`${arn}/git/diffs/api/_steps/*`],
      },
      { Sid: "ListResults", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [arn] },
    ]);
  });

  test("has an output with what the policy of another account's bucket has to allow", () => {
    const { value } = existing.json.output.bucket_policy as { value: string };
    const account = `${ref("data.aws_partition.account_partition.partition")}:iam::${ref("data.aws_caller_identity.account.account_id")}`;
    const Principal = { AWS: [`arn:${account}:role/git-diff-all-task`] };
    expect(JSON.parse(value).Statement).toEqual([
      {
        Sid: "PutResults",
        Effect: "Allow",
        Action: put,
        Resource: [`${arn}/git/diffs/*.diff`, `${arn}/git/diffs/*/_steps/*`],
        Principal,
      },
      {
        Sid: "ReadStepRecords",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: [`${arn}/git/diffs/*/_steps/*`],
        Principal,
      },
      { Sid: "ListResults", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [arn], Principal },
    ]);
  });
});

describe("a mirror", () => {
  const repositories = [
    { name: "api", url: "https://github.com/acme/api.git", collect: ["diffs", "mirror"] },
    {
      name: "acme/web",
      url: "https://github.com/acme/web.git",
      collect: ["mirror"],
      refs: ["refs/heads/"],
      lfs: false,
    },
    { name: "docs", url: "https://github.com/acme/docs.git" },
  ];
  const mirrored = new Template({ ...SMALLEST, repositories, resultRetentionDays: 90, tables: false });
  const bucket = `arn:${ref("data.aws_partition.account_partition.partition")}:s3:::git-diff-results-${ref("data.aws_caller_identity.account.account_id")}`;

  test("reaches the worker, which accepts it", () => {
    const { environment } = mirrored.container();
    const REPOSITORIES = (environment.find(({ name }) => name === "REPOSITORIES")?.value ?? "").replaceAll(
      ref("data.aws_caller_identity.account.account_id"),
      "123456789012",
    );
    const read = readEnvironment({ REPOSITORIES }, new Date(0)).repositories;
    expect(
      read.map(({ destination, mirror, lfs }) => [destination.replace(/^.*012\//, ""), mirror, lfs]),
    ).toEqual([
      ["acme/web.git", ["refs/heads/"], false],
      ["api", undefined, undefined],
      ["api.git", ["refs/heads/", "refs/tags/"], true],
      ["docs", undefined, undefined],
    ]);
  });

  test("may be read and added to by its worker, and nothing in it be deleted", () => {
    const statements = mirrored.statements("aws_iam_policy.task-all_worker_1");
    expect(statements.filter(({ Sid }) => /^Read/.test(Sid))).toEqual([
      {
        Sid: "ReadStepRecords",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: [`${bucket}/api/_steps/*`, `${bucket}/docs/_steps/*`],
      },
      {
        Sid: "ReadMirrors",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: [`${bucket}/acme/web.git/*`, `${bucket}/api.git/*`],
      },
    ]);
    expect(JSON.stringify(statements)).not.toContain("Delete");
  });

  test("keeps its objects although diffs expire, and nobody replaces its packs", () => {
    const { rule } = mirrored.get("aws_s3_bucket_lifecycle_configuration.results_lifecycle") as {
      rule: { filter: unknown; expiration: unknown }[];
    };
    expect(rule.map(({ filter, expiration }) => [filter, expiration])).toEqual([
      [[{}], [{ expired_object_delete_marker: true }]],
      [[{ prefix: "api/" }], [{ days: 90 }]],
      [[{ prefix: "docs/" }], [{ days: 90 }]],
    ]);
    const policy = mirrored.statements("aws_s3_bucket_policy.results_policy");
    expect(policy.find(({ Sid }) => Sid === "CreatePacksOnly")).toEqual({
      Sid: "CreatePacksOnly",
      Effect: "Deny",
      Principal: "*",
      Action: ["s3:PutObject"],
      Resource: [
        `${ref("aws_s3_bucket.results.arn")}/*.git/objects/pack/*`,
        `${ref("aws_s3_bucket.results.arn")}/*.git/lfs/objects/*`,
      ],
      Condition: { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } },
    });
  });
});
