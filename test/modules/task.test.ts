import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSettings } from "../../image/config/settings.ts";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

const ARN = `arn:${ref("data.aws_partition.account_partition.partition")}`;
const ACCOUNT = ref("data.aws_caller_identity.account.account_id");
const github = "https://github.com/acme";

test("the task runs on Fargate with ARM64 and the configured size", () => {
  expect(
    new Template({ ...SMALLEST, cpu: 512, memory: 1024 }).get("aws_ecs_task_definition.task-all"),
  ).toMatchObject({
    family: "git-diff-all",
    requires_compatibilities: ["FARGATE"],
    network_mode: "awsvpc",
    runtime_platform: { cpu_architecture: "ARM64", operating_system_family: "LINUX" },
    cpu: "512",
    memory: "1024",
    volume: [{ name: "scratch" }],
    task_role_arn: ref("aws_iam_role.task-all_worker.arn"),
    execution_role_arn: ref("aws_iam_role.task-all_execution.arn"),
  });
});

test("the container has no privileges that it does not need", () => {
  expect(new Template({ ...SMALLEST, tables: false }).container()).toEqual({
    name: "worker",
    image: SMALLEST.image,
    essential: true,
    readonlyRootFilesystem: true,
    stopTimeout: 30,
    user: "65532:65532",
    linuxParameters: { capabilities: { add: [], drop: ["ALL"] }, initProcessEnabled: true },
    portMappings: [],
    systemControls: [],
    volumesFrom: [],
    mountPoints: [{ sourceVolume: "scratch", containerPath: "/scratch", readOnly: false }],
    environment: [
      { name: "AWS_REGION", value: "eu-west-1" },
      {
        name: "REPOSITORIES",
        value: JSON.stringify([
          {
            gitRepo: "https://github.com/acme/api.git",
            parameterName: "/git-diff/api",
            resultsBucket: `git-diff-results-${ACCOUNT}/api`,
          },
        ]),
      },
      { name: "TMPDIR", value: "/scratch" },
    ],
    secrets: [],
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": ref("aws_cloudwatch_log_group.task-all_log.name"),
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "all",
      },
    },
  });
});

test("the worker's role covers its own cursors, records and CodeCommit repositories", () => {
  const template = new Template({
    ...SMALLEST,
    tables: false,
    repositories: undefined,
    collections: [
      {
        name: "mine",
        repositories: [
          { name: "acme/api", url: `${github}/api.git` },
          { name: "legacy" },
          { name: "there", url: "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/elsewhere" },
          {
            name: "branch",
            url: "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/elsewhere",
            branch: "x",
          },
          {
            name: "evil",
            url: "https://git-codecommit.us-east-1.amazonaws.com.evil.example/v1/repos/x",
          },
          {
            name: "private",
            url: "https://vpce-0a1b-c2d3.git-codecommit.us-east-1.vpce.amazonaws.com/v1/repos/inside/",
          },
        ],
      },
      { name: "other", repositories: [{ name: "theirs" }] },
    ],
  });
  const results = `${ARN}:s3:::git-diff-results-${ACCOUNT}`;
  const parameter = `${ARN}:ssm:eu-west-1:${ACCOUNT}:parameter/git-diff`;
  expect(template.statements("aws_iam_policy.task-mine_worker_1")).toEqual([
    {
      Sid: "Cursors",
      Effect: "Allow",
      Action: ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
      Resource: ["acme/api", "branch", "evil", "legacy", "private", "there"].map(
        (name) => `${parameter}/${name}`,
      ),
    },
    {
      Sid: "PutResults",
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
      Resource: [`${results}/*.diff`, `${results}/*/_steps/*`],
    },
    {
      Sid: "ReadStepRecords",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: ["acme/api", "branch", "evil", "legacy", "private", "there"].map(
        (name) => `${results}/${name}/_steps/*`,
      ),
    },
    { Sid: "ListResults", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [results] },
    {
      Sid: "CodeCommit",
      Effect: "Allow",
      Action: ["codecommit:GitPull"],
      Resource: [
        `${ARN}:codecommit:us-east-1:${ACCOUNT}:elsewhere`,
        `${ARN}:codecommit:eu-west-1:${ACCOUNT}:legacy`,
        `${ARN}:codecommit:us-east-1:${ACCOUNT}:inside`,
      ],
    },
  ]);
});

test("a repository without a URL is in CodeCommit, in the stack's region", () => {
  const { environment } = new Template({ ...SMALLEST, repositories: [{ name: "legacy" }] }).container();
  const suffix = ref("data.aws_partition.account_partition.dns_suffix");
  expect(environment.find(({ name }) => name === "REPOSITORIES")?.value).toContain(
    `"gitRepo":"https://git-codecommit.eu-west-1.${suffix}/v1/repos/legacy"`,
  );
});

test("credentials are shared by host or belong to one repository, and Terraform never reads them", () => {
  const template = new Template({
    ...SMALLEST,
    tables: false,
    repositories: [
      { name: "web", url: `${github}/web.git`, credentials: "host" },
      { name: "api", url: `${github}/api.git`, credentials: "host" },
      { name: "acme/own", url: `${github}/own.git`, credentials: "repository" },
      { name: "open", url: `${github}/open.git` },
    ],
  });
  expect(template.json.resource.aws_ssm_parameter).toEqual({
    credentials_github_com: {
      name: "/git-diff/_credentials/github.com",
      description: 'user:password for github.com, set by hand; "-" means none',
      type: "SecureString",
      value_wo: "-",
      value_wo_version: 1,
      // To write the key, Terraform would have to write the value, which it does not know.
      lifecycle: { ignore_changes: ["key_id"] },
    },
    credentials_acme_own: {
      name: "/git-diff/acme/own/_credentials",
      description: 'user:password for acme/own, set by hand; "-" means none',
      type: "SecureString",
      value_wo: "-",
      value_wo_version: 1,
      // To write the key, Terraform would have to write the value, which it does not know.
      lifecycle: { ignore_changes: ["key_id"] },
    },
  });
  const { environment, secrets } = template.container();
  expect(secrets).toEqual([
    { name: "GIT_HTTP_CREDENTIALS_ACME_OWN", valueFrom: ref("aws_ssm_parameter.credentials_acme_own.arn") },
    {
      name: "GIT_HTTP_CREDENTIALS_GITHUB_COM",
      valueFrom: ref("aws_ssm_parameter.credentials_github_com.arn"),
    },
  ]);
  const entries: { gitHttpCredentials?: string }[] = JSON.parse(
    environment.find(({ name }) => name === "REPOSITORIES")?.value ?? "",
  );
  expect(entries.map(({ gitHttpCredentials }) => gitHttpCredentials)).toEqual([
    "GIT_HTTP_CREDENTIALS_ACME_OWN",
    "GIT_HTTP_CREDENTIALS_GITHUB_COM",
    undefined,
    "GIT_HTTP_CREDENTIALS_GITHUB_COM",
  ]);
});

test("the execution role writes its own log streams, and reads the credentials of its own collection", () => {
  const template = new Template({
    ...SMALLEST,
    tables: false,
    repositories: undefined,
    collections: [
      { name: "mine", repositories: [{ name: "web", url: `${github}/web.git`, credentials: "host" }] },
      { name: "other", repositories: [{ name: "own", url: `${github}/own.git`, credentials: "repository" }] },
    ],
  });
  const statements = template.statements("aws_iam_policy.task-mine_execution_1");
  const resources = Object.fromEntries(statements.map(({ Sid, Resource }) => [Sid, Resource]));
  expect(resources).toEqual({
    Log: [`${ref("aws_cloudwatch_log_group.task-mine_log.arn")}:log-stream:mine/*`],
    RegistryLogin: ["*"],
    PullImage: [`${ARN}:ecr:eu-west-1:123456789012:repository/git-diff`],
    ReadCredentials: [`${ARN}:ssm:eu-west-1:${ACCOUNT}:parameter/git-diff/_credentials/github.com`],
  });
});

test("a secret that exists already is passed to the worker, which may read it and no other", () => {
  const secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:git/github-AbCdEf";
  const parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/shared/gitlab";
  const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/1234";
  const template = new Template({
    ...SMALLEST,
    tables: false,
    kmsKey,
    repositories: [
      { name: "api", url: `${github}/api.git`, credentials: `${secret}:token::` },
      { name: "web", url: "https://gitlab.com/acme/web.git", credentials: parameter },
    ],
  });
  expect(template.addresses.filter((address) => address.includes("ssm_parameter"))).toEqual([]);
  expect(template.json.output.set_credentials?.value).toEqual({});
  const [api, web] = [
    "GIT_HTTP_CREDENTIALS_PARAMETER_SHARED_GITLAB",
    "GIT_HTTP_CREDENTIALS_SECRET_GIT_GITHUB_ABCDEF_TOKEN__",
  ];
  expect(template.container().secrets).toEqual([
    { name: api, valueFrom: parameter },
    { name: web, valueFrom: `${secret}:token::` },
  ]);
  const statements = template.statements("aws_iam_policy.task-all_execution_1");
  expect(statements.filter(({ Sid }) => /Credentials|Secrets/.test(Sid))).toEqual([
    { Sid: "ReadCredentials", Effect: "Allow", Action: ["ssm:GetParameters"], Resource: [parameter] },
    { Sid: "ReadSecrets", Effect: "Allow", Action: ["secretsmanager:GetSecretValue"], Resource: [secret] },
    {
      Sid: "CredentialsKey",
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: [kmsKey],
      Condition: {
        StringEquals: {
          "kms:ViaService": ["ssm", "secretsmanager"].map(
            (service) => `${service}.eu-west-1.${ref("data.aws_partition.account_partition.dns_suffix")}`,
          ),
        },
      },
    },
  ]);
});

/** The container's variables but for those of every container. */
function settings(gitDiff: object, collection?: string): Record<string, string> {
  const { environment } = new Template({ ...SMALLEST, tables: false, ...gitDiff }).container(collection);
  const always = ["AWS_REGION", "REPOSITORIES", "TMPDIR"];
  return Object.fromEntries(
    environment.flatMap(({ name, value }) => (always.includes(name) ? [] : [[name, value]])),
  );
}

test("a collection's settings are the worker's variables, which accepts them", () => {
  const variables = settings({
    concurrency: 4,
    timeoutSeconds: 600,
    hostConcurrency: 2,
    hostRequestsPerSecond: 10,
    maxDiffBytes: 1024,
    maxPackBytes: 2048,
    onGoneCommit: "fail",
    binary: "include",
  });
  expect(variables).toEqual({
    BINARY: "include",
    CONCURRENCY: "4",
    HOST_CONCURRENCY: "2",
    HOST_REQUESTS_PER_SECOND: "10",
    MAX_DIFF_BYTES: "1024",
    MAX_PACK_BYTES: "2048",
    ON_GONE_COMMIT: "fail",
    REPOSITORY_TIMEOUT_SECONDS: "600",
  });
  expect(readSettings(variables, new Date(0))).toMatchObject({
    concurrency: 4,
    timeoutSeconds: 600,
    hostConcurrency: 2,
    hostRequestsPerSecond: 10,
    maxDiffBytes: 1024,
    maxPackBytes: 2048,
    onGoneCommit: "fail",
    binary: true,
  });
  expect(settings({})).toEqual({});
});

test("one collection's settings are not another's", () => {
  const collections = [
    {
      name: "big",
      timeoutSeconds: 7200,
      cpu: 4096,
      memory: 16384,
      diskGiB: 100,
      repositories: [{ name: "a" }],
    },
    { name: "small", repositories: [{ name: "b" }] },
  ];
  const template = new Template({ ...SMALLEST, repositories: undefined, timeoutSeconds: 60, collections });
  const timeout = (collection: string) =>
    template.container(collection).environment.find(({ name }) => name === "REPOSITORY_TIMEOUT_SECONDS")
      ?.value;
  expect([timeout("big"), timeout("small")]).toEqual(["7200", "60"]);
  expect(template.get("aws_ecs_task_definition.task-big")).toMatchObject({
    cpu: "4096",
    memory: "16384",
    ephemeral_storage: { size_in_gib: 100 },
  });
  expect(template.get("aws_ecs_task_definition.task-small")).not.toHaveProperty("ephemeral_storage");
});

const network = { subnets: ["subnet-01234567"], securityGroups: ["sg-01234567"] };

test("the worker uses the network's proxy, with a password only from a secret", () => {
  const proxy = "http://proxy.acme.com:3128";
  expect(settings({ network: { ...network, proxy, noProxy: [".acme.com", "10.0.0.1"] } })).toEqual({
    HTTPS_PROXY: proxy,
    NO_PROXY: ".acme.com,10.0.0.1",
  });
  const arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/shared/proxy";
  const template = new Template({ ...SMALLEST, tables: false, network: { ...network, proxy: arn } });
  expect(template.container().secrets).toEqual([{ name: "HTTPS_PROXY", valueFrom: arn }]);
  const read = template
    .statements("aws_iam_policy.task-all_execution_1")
    .find(({ Sid }) => Sid === "ReadCredentials");
  expect(read?.Resource).toEqual([arn]);
});

test("the worker trusts the configured authorities, for hosts and for AWS", () => {
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  const certificates = join(folder, "acme.pem");
  const pem = "-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----";
  writeFileSync(certificates, `A comment, and a key that stays here\n${pem}\n\n${pem}\n`);
  expect(settings({ certificates })).toEqual({
    AWS_CA_BUNDLE: `${pem}\n${pem}\n`,
    GIT_SSL_CAINFO: `${pem}\n${pem}\n`,
  });
  rmSync(folder, { recursive: true });
});

test("a new revision replaces no old one, and is there only once its roles have their permissions", () => {
  expect(new Template(SMALLEST).get("aws_ecs_task_definition.task-all")).toMatchObject({
    skip_destroy: true,
    lifecycle: { create_before_destroy: true },
    depends_on: [
      "aws_iam_role_policy_attachment.task-all_worker_attach-1",
      "aws_iam_role_policy_attachment.task-all_execution_attach-1",
    ],
  });
});

test("a collection logs to a group of its own, encrypted with the stack's key", () => {
  const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/1234";
  expect(
    new Template({ ...SMALLEST, kmsKey, logRetentionDays: 90 }).get("aws_cloudwatch_log_group.task-all_log"),
  ).toMatchObject({
    name: "/ecs/git-diff/all",
    retention_in_days: 90,
    kms_key_id: kmsKey,
  });
});

test("what former keys encrypted can still be read, and so can secrets with a key of their own", () => {
  const [kmsKey, former] = ["1234", "5678"].map((id) => `arn:aws:kms:eu-west-1:123456789012:key/${id}`);
  const template = new Template({
    ...SMALLEST,
    kmsKey,
    decryptKeys: [former],
    repositories: [{ name: "web", url: `${github}/web.git`, credentials: "host" }],
  });
  const statement = (address: string, wanted: string) =>
    template.statements(`aws_iam_policy.task-all_${address}_1`).find(({ Sid }) => Sid === wanted);
  expect(statement("worker", "FurtherResultsKeys")).toMatchObject({
    Action: ["kms:Decrypt"],
    Resource: [former],
  });
  expect(statement("worker", "ResultsKey")?.Resource).toEqual([kmsKey as string]);
  expect(statement("execution", "CredentialsKey")?.Resource).toEqual([kmsKey as string, former as string]);
});
