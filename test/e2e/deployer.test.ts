import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutBucketPolicyCommand } from "@aws-sdk/client-s3";
import type { Statement } from "../../modules/iam.ts";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { type IamEnforcer, startIamEnforcer } from "../fixtures/iam-enforcer.ts";
import { type Access, denialOf } from "../fixtures/iam-policy.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { ACCOUNT, withoutEach } from "../fixtures/stack-role.ts";
import { run, synthesise, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms("deployer", "terraform", "moto_server");
// The AWS provider waits for changes to spread.
setDefaultTimeout(900_000);

const page = readFileSync(join(import.meta.dirname, "../../docs/deployer.md"), "utf8");
/** The two policies of the page. */
const [plan = [], more = []] = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(
  ([, json = ""]): Statement[] => JSON.parse(json).Statement,
);
const deploy = [...plan, ...more];
const deployer = { session: `arn:aws:sts::${ACCOUNT}:assumed-role/deployer/session` };

/** Permissions that this suite does not see used, and why they are documented nevertheless. */
const unseen = [
  // The Docker provider pushes and finds the image: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
  /^ecr:(BatchCheckLayerAvailability|BatchGetImage|CompleteLayerUpload|InitiateLayerUpload|PutImage|UploadLayerPart)$/,
  // The AWS provider from 6.23 on: https://github.com/hashicorp/terraform-provider-aws/pull/45251
  /^s3:(ListTagsForResource|TagResource|UntagResource)$/,
  // The AWS provider cannot read what the emulator answers to CreateRepository:
  // https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/codecommit/repository.go
  /^codecommit:/,
  // For the columns of a newer version, and for another KMS key.
  /^(glue:UpdateTable|athena:UpdateWorkGroup)$/,
  // The emulator does not know AssociateKmsKey, with which a log group gets a key that it did not have before.
  /^logs:AssociateKmsKey$/,
];

const kmsKey = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
const before = {
  name: "git-diff",
  region: "eu-west-1",
  kmsKey,
  accessLogs: "acme-logs",
  alarms: ["ops@acme.com"],
  state: { bucket: "acme-terraform-state" },
  tags: { team: "platform" },
  vpc: { flowLogs: true },
  repositories: [
    {
      name: "api",
      url: "https://git.acme.com:8443/api.git",
      credentials: "host",
      collect: ["diffs", "mirror"],
    },
    { name: "app", url: "https://git.acme.com:8443/app.git", credentials: "repository" },
  ],
};
/** Each change needs a permission of its own. */
const after = {
  ...before,
  logRetentionDays: 60,
  permissionsBoundary: `arn:aws:iam::${ACCOUNT}:policy/boundary`,
  lockDays: 60,
  onPush: true,
  resultRetentionDays: 90,
  schedule: "cron(0 2 * * ? *)",
  tables: { people: "omit", hunks: true },
  tags: { owner: "platform" },
  repositories: [
    { name: "api", url: "https://git.acme.com:8444/api.git" },
    { name: "app", url: "https://git.acme.com:8444/app.git", credentials: "repository" },
    { name: "legacy" },
  ],
};

describe.skipIf(missing !== undefined)(`the deployer${missing ? ` (${missing})` : ""}`, () => {
  let folder: string;
  let stack: string;
  let environment: Record<string, string>;
  let aws: Aws;
  let iam: IamEnforcer;
  const used: Access[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "git-diff-deployer-"));
    stack = join(folder, "stacks/git-diff");
    aws = await startAws();
    iam = await startIamEnforcer(aws.endpoint, { region: "eu-west-1", account: ACCOUNT, secretKey: kmsKey });
    environment = { ...terraformEnvironment(aws, folder), AWS_ENDPOINT_URL: iam.endpoint };
    await aws.createBucket("acme-terraform-state");
    await aws.createBucket("acme-logs");
    const Policy = JSON.stringify({
      Statement: [
        {
          Effect: "Allow",
          Principal: { Service: "logging.s3.amazonaws.com" },
          Action: "s3:PutObject",
          Resource: "arn:aws:s3:::acme-logs/*",
        },
      ],
    });
    await aws.s3.send(new PutBucketPolicyCommand({ Bucket: "acme-logs", Policy }));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await Promise.all([iam?.close(), aws?.close()]);
  });

  /** Writes what Terraform is to do, without the Docker provider's part. */
  function write(gitDiff: object): void {
    synthesise(gitDiff, folder);
    const file = join(stack, "cdk.tf.json");
    const { provider, resource, terraform, ...rest } = JSON.parse(readFileSync(file, "utf8"));
    for (const [owner, key] of [
      [provider, "docker"],
      [resource, "docker_image"],
      [resource, "docker_registry_image"],
      [terraform.required_providers, "docker"],
    ])
      delete owner[key];
    // The emulator has no host name for each bucket.
    terraform.backend.s3.use_path_style = true;
    const json = JSON.stringify({ provider, resource, terraform, ...rest });
    writeFileSync(file, json.replace(/\$\{docker_registry_image\.[\w.-]+\}/g, `sha256:${"a".repeat(64)}`));
  }

  /** Runs Terraform with these permissions. Returns what it printed. */
  async function terraform(statements: readonly Statement[], args: readonly string[], status = 0) {
    iam.act(deployer, statements);
    const ended = await run(["terraform", ...args, "-input=false", "-no-color"], { cwd: stack, environment });
    used.push(...iam.allowed);
    if (ended.status !== status) throw new Error(`terraform ${args.join(" ")}: ${ended.output}`);
    return ended.output;
  }

  test("plans a stack that is not there, with the permissions for it", async () => {
    write(before);
    await terraform(plan, ["init"]);
    await terraform(plan, ["plan", "-detailed-exitcode"], 2);
    expect(iam.denied).toEqual([]);
  });

  test("cannot deploy with these: AWS names what is missing", async () => {
    const output = await terraform(plan, ["apply", "-auto-approve", "-target=aws_sns_topic.alarms"], 1);
    expect(output.replace(/\s+/g, " ")).toContain("is not authorized to perform: s3:PutObject on resource");
  });

  test("deploys", async () => {
    await terraform(deploy, ["apply", "-auto-approve"]);
    expect(iam.denied).toEqual([]);
  });

  test("plans a stack that is there", async () => {
    await terraform(plan, ["plan", "-detailed-exitcode"]);
    expect(iam.denied).toEqual([]);
  });

  test("changes it", async () => {
    write(after);
    await terraform(deploy, ["apply", "-auto-approve"]);
    expect(iam.denied).toEqual([]);
  });

  test("destroys it", async () => {
    await terraform(deploy, ["destroy", "-auto-approve"]);
    expect(iam.denied).toEqual([]);
  });

  test("needs each of these permissions", () => {
    const distinct = [...new Map(used.map((access) => [JSON.stringify(access), access])).values()];
    const unused = withoutEach(deploy).filter(
      ({ actions, statements }) =>
        !actions.every((action) => unseen.some((one) => one.test(action))) &&
        !distinct.some((access) => denialOf(deployer, access, { identity: statements })),
    );
    expect(unused.map(({ name }) => name)).toEqual([]);
  });
});

test("the policies fit into managed policies", () => {
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: white space does not count.
  for (const Statement of [plan, more]) {
    expect(JSON.stringify({ Version: "2012-10-17", Statement }).length).toBeLessThan(6_144);
  }
});
