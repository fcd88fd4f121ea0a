import { expect, test } from "bun:test";
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
  expect(new Template(SMALLEST).container()).toEqual({
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
        "awslogs-group": ref("aws_cloudwatch_log_group.cluster_logs.name"),
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "all",
      },
    },
  });
});

test("the worker's role covers its own cursors, records and CodeCommit repositories", () => {
  const template = new Template({
    ...SMALLEST,
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
      Resource: ["acme/api", "legacy", "there", "branch", "evil", "private"].map(
        (name) => `${parameter}/${name}`,
      ),
    },
    {
      Sid: "ReadStepRecords",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: ["acme/api", "legacy", "there", "branch", "evil", "private"].map(
        (name) => `${results}/${name}/_steps/*`,
      ),
    },
    {
      Sid: "CodeCommit",
      Effect: "Allow",
      Action: ["codecommit:GitPull"],
      Resource: [
        `${ARN}:codecommit:eu-west-1:${ACCOUNT}:legacy`,
        `${ARN}:codecommit:us-east-1:${ACCOUNT}:elsewhere`,
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
    },
    credentials_acme_own: {
      name: "/git-diff/acme/own/_credentials",
      description: 'user:password for acme/own, set by hand; "-" means none',
      type: "SecureString",
      value_wo: "-",
      value_wo_version: 1,
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
    "GIT_HTTP_CREDENTIALS_GITHUB_COM",
    "GIT_HTTP_CREDENTIALS_GITHUB_COM",
    "GIT_HTTP_CREDENTIALS_ACME_OWN",
    undefined,
  ]);
});

test("the execution role writes its own log streams, and reads the credentials of its own collection", () => {
  const template = new Template({
    ...SMALLEST,
    repositories: undefined,
    collections: [
      { name: "mine", repositories: [{ name: "web", url: `${github}/web.git`, credentials: "host" }] },
      { name: "other", repositories: [{ name: "own", url: `${github}/own.git`, credentials: "repository" }] },
    ],
  });
  const statements = template.statements("aws_iam_policy.task-mine_execution_1");
  const resources = Object.fromEntries(statements.map(({ Sid, Resource }) => [Sid, Resource]));
  expect(resources).toEqual({
    Log: [`${ref("aws_cloudwatch_log_group.cluster_logs.arn")}:log-stream:mine/*`],
    RegistryLogin: ["*"],
    PullImage: [`${ARN}:ecr:eu-west-1:123456789012:repository/git-diff`],
    ReadCredentials: [`${ARN}:ssm:eu-west-1:${ACCOUNT}:parameter/git-diff/_credentials/github.com`],
  });
});
