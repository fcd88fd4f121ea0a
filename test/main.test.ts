import { describe, expect, test } from "bun:test";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { Testing } from "cdktf";
import { readEnvironment } from "../image/config/environment.ts";
import { GitDiff } from "../main.ts";
import { parseOne } from "./fixtures/configuration.ts";
import { IMAGE, ref, repositories, SMALLEST, Template } from "./fixtures/template.ts";

const smallest = new Template(SMALLEST);

test("the smallest stack is these resources and no others", () => {
  const why: Record<string, string> = {
    "data.aws_caller_identity.account": "the account in ARNs",
    "data.aws_partition.account_partition": "the partition in ARNs",
    "data.aws_availability_zones.vpc_zones": "the zones of the subnets",
    "aws_vpc.vpc": "a network of its own",
    "aws_subnet.vpc_public-a": "where tasks run",
    "aws_subnet.vpc_public-b": "where tasks run when the first zone is full",
    "aws_internet_gateway.vpc_internet": "the way to git hosts",
    "aws_route_table.vpc_public": "the way to git hosts",
    "aws_route_table_association.vpc_routes-a": "the way to git hosts",
    "aws_route_table_association.vpc_routes-b": "the way to git hosts",
    "aws_vpc_endpoint.vpc_s3": "the way to S3, which costs nothing",
    "aws_default_security_group.vpc_closed": "nothing uses it: closed",
    "aws_security_group.vpc_task": "what tasks may reach",
    "aws_vpc_security_group_egress_rule.vpc_egress-443": "HTTPS, and nothing else",
    "aws_ecs_cluster.cluster": "where tasks run",
    "aws_cloudwatch_log_group.task-all_log": "where tasks log",
    "aws_s3_bucket.results": "the diffs",
    "aws_s3_bucket_public_access_block.results_private": "nobody else's",
    "aws_s3_bucket_ownership_controls.results_ownership": "no ACLs",
    "aws_s3_bucket_versioning.results_versioning": "nothing is overwritten for good",
    "aws_s3_bucket_server_side_encryption_configuration.results_encryption": "encrypted",
    "aws_s3_bucket_lifecycle_configuration.results_lifecycle": "no litter of broken uploads",
    "aws_s3_bucket_policy.results_policy": "who may do what, over TLS only",
    "aws_ecs_task_definition.task-all": "the worker",
    "aws_glue_catalog_database.tables": "the tables in Athena",
    "aws_glue_catalog_table.tables_steps": "a table in Athena",
    "aws_glue_catalog_table.tables_commits": "a table in Athena",
    "aws_glue_catalog_table.tables_files": "a table in Athena",
    "aws_athena_workgroup.tables_workgroup": "where queries store their results, and how much they may read",
    "aws_ssm_parameter.tables_people_key": "the secret of the hashes of people",
    "aws_iam_role.task-all_worker": "the worker's role",
    "aws_iam_policy.task-all_worker_1": "the worker's role",
    "aws_iam_role_policy_attachment.task-all_worker_attach-1": "the worker's role",
    "aws_iam_role.task-all_execution": "the role that pulls, logs and reads credentials",
    "aws_iam_policy.task-all_execution_1": "the role that pulls, logs and reads credentials",
    "aws_iam_role_policy_attachment.task-all_execution_attach-1":
      "the role that pulls, logs and reads credentials",
    "aws_scheduler_schedule_group.schedules": "what the schedule's role trusts",
    "aws_sqs_queue.schedules_dead-letters": "runs that could not be started",
    "aws_sns_topic.alarms": "notifies people",
    "aws_sns_topic_policy.alarms_policy": "who may publish",
    "aws_cloudwatch_event_rule.alarms_failed": "runs that failed",
    "aws_cloudwatch_event_target.alarms_notify": "runs that failed, in words",
    "aws_cloudwatch_metric_alarm.alarms_not-started": "runs that could not be started",
    "aws_cloudwatch_metric_alarm.alarms_silent-all": "a day without a run",
    "aws_codecommit_repository.codecommit": "none, but protects those that were created",
    "aws_scheduler_schedule.schedule-all": "when",
    "aws_iam_role.schedule-all_role": "the role that starts the task",
    "aws_iam_policy.schedule-all_role_1": "the role that starts the task",
    "aws_iam_role_policy_attachment.schedule-all_role_attach-1": "the role that starts the task",
  };
  expect(smallest.addresses).toEqual(Object.keys(why).sort());
});

test("a prebuilt image needs neither the Docker provider nor an ECR repository", () => {
  expect(Object.keys(smallest.json.provider)).toEqual(["aws"]);
  expect(JSON.stringify(smallest.json)).not.toMatch(/docker_|aws_ecr_/);
});

test("repositories that were created in CodeCommit are protected, also once they are no longer listed", () => {
  const listed = (...names: string[]) =>
    new Template({
      ...SMALLEST,
      repositories: [...SMALLEST.repositories, ...names.map((name) => ({ name, create: true }))],
    }).get("aws_codecommit_repository.codecommit");
  expect(listed("new", "newer")).toMatchObject({
    for_each: `\${toset(["new", "newer"])}`,
    repository_name: ref("each.value"),
    lifecycle: { prevent_destroy: true },
  });
  expect(listed()).toMatchObject({ for_each: `\${toset([])}`, lifecycle: { prevent_destroy: true } });
});

test("everything that can be tagged is tagged", () => {
  const { json } = new Template({ ...SMALLEST, name: "diffs", tags: { team: "platform" } });
  expect(json.provider.aws?.[0]?.default_tags).toEqual([
    { tags: { "git-diff-to-s3": "diffs", team: "platform" } },
  ]);
});

test("a plan stops in another account than the configured one", () => {
  const allowed = (account?: string) =>
    new Template({ ...SMALLEST, account }).json.provider.aws?.[0]?.allowed_account_ids;
  expect(allowed("123456789012")).toEqual(["123456789012"]);
  expect(allowed()).toBeUndefined();
});

test("Terraform and the AWS provider have the versions that the stack needs", () => {
  expect(smallest.json).toMatchObject({
    terraform: {
      required_providers: { aws: { version: ">= 6.40.0, < 7.0.0" } },
      required_version: ">= 1.11.0",
    },
  });
});

describe("state", () => {
  test("is stored beside main.ts, on every computer", () => {
    expect(smallest.json).toMatchObject({
      terraform: { backend: { local: { path: "../../../terraform.git-diff.tfstate" } } },
    });
  });

  test("is stored encrypted and locked in the configured bucket", () => {
    const { json } = new Template({ ...SMALLEST, state: { bucket: "acme-state" } });
    const s3 = {
      bucket: "acme-state",
      key: "git-diff.tfstate",
      region: "eu-west-1",
      encrypt: true,
      use_lockfile: true,
    };
    expect(json).toMatchObject({ terraform: { backend: { s3 } } });
  });

  test("is one stack's alone, unless its key is given", () => {
    const key = (state: object) => {
      const { json } = new Template({ ...SMALLEST, name: "prod", state: { bucket: "acme-state", ...state } });
      return (json as unknown as { terraform: { backend: { s3: { key: string } } } }).terraform.backend.s3
        .key;
    };
    expect(key({})).toBe("prod.tfstate");
    expect(key({ key: "git/diffs.tfstate" })).toBe("git/diffs.tfstate");
  });
});

describe("every permission in the stack", () => {
  const everything = new Template({
    ...SMALLEST,
    kmsKey: "arn:aws:kms:eu-west-1:123456789012:key/1234",
    repositories: [
      { name: "api", url: "https://github.com/acme/api.git", credentials: "host" },
      { name: "legacy" },
      { name: "there", url: "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/elsewhere" },
    ],
  });
  const allowed = everything.allStatements.filter(({ Effect }) => Effect === "Allow");

  test("is one of these", () => {
    const actions = Object.fromEntries(allowed.map(({ Sid, Action }) => [Sid, Action]));
    expect(actions).toEqual({
      PutResults: ["s3:PutObject", "s3:AbortMultipartUpload"],
      ReadStepRecords: ["s3:GetObject"],
      ReadTables: ["s3:GetObject"],
      ListResults: ["s3:ListBucket"],
      Cursors: ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
      CodeCommit: ["codecommit:GitPull"],
      ResultsKey: ["kms:Decrypt", "kms:GenerateDataKey"],
      Log: ["logs:CreateLogStream", "logs:PutLogEvents"],
      RegistryLogin: ["ecr:GetAuthorizationToken"],
      PullImage: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      ReadCredentials: ["ssm:GetParameters"],
      CredentialsKey: ["kms:Decrypt"],
      StartTask: ["ecs:RunTask"],
      TagTask: ["ecs:TagResource"],
      PassRoles: ["iam:PassRole"],
      DeadLetters: ["sqs:SendMessage"],
      FailedRuns: ["sns:Publish"],
      Alarms: ["sns:Publish"],
    });
    expect(allowed).toHaveLength(18);
  });

  test("names its resources, except for the registry's login", () => {
    const wildcards = allowed.filter(({ Resource }) => Resource.some((one) => /^\*|:\*:\*|:::\*/.test(one)));
    expect(wildcards.map(({ Sid }) => Sid)).toEqual(["RegistryLogin"]);
  });

  test("deletes nothing, and reads of the bucket only step records, rows and its own tables", () => {
    expect(allowed.flatMap(({ Action }) => Action).filter((one) => /Delete|\*/.test(one))).toEqual([]);
    const read = allowed.filter(({ Action }) => Action.includes("s3:GetObject"));
    const results = `arn:${ref("data.aws_partition.account_partition.partition")}:s3:::git-diff-results-${ref("data.aws_caller_identity.account.account_id")}`;
    const tables = [
      ...[
        "v1/*/month=*/all.parquet",
        "v1/_progress/all.json",
        "v1/_summary/month=*/all.json",
        "report/all.html",
      ],
      ...["v1/README.md", "v1/contract.odcs.yaml"],
    ];
    expect(read.flatMap(({ Resource }) => Resource)).toEqual([
      ...["api", "legacy", "there"].map((name) => `${results}/${name}/_*`),
      ...tables.map((name) => `${results}/tables/${name}`),
    ]);
  });

  test("is used by its service for this account alone", () => {
    const account = ref("data.aws_caller_identity.account.account_id");
    const arn = `arn:${ref("data.aws_partition.account_partition.partition")}`;
    const trusts = ["task-all_worker", "task-all_execution", "schedule-all_role"].map((id) =>
      everything.statements(`aws_iam_role.${id}`, "assume_role_policy"),
    );
    const ecs = {
      Effect: "Allow",
      Principal: { Service: "ecs-tasks.amazonaws.com" },
      Action: "sts:AssumeRole",
      Condition: {
        StringEquals: { "aws:SourceAccount": account },
        ArnLike: { "aws:SourceArn": `${arn}:ecs:eu-west-1:${account}:*` },
      },
    };
    const scheduler = {
      Effect: "Allow",
      Principal: { Service: "scheduler.amazonaws.com" },
      Action: "sts:AssumeRole",
      Condition: {
        StringEquals: {
          "aws:SourceAccount": account,
          "aws:SourceArn": ref("aws_scheduler_schedule_group.schedules.arn"),
        },
      },
    };
    expect(trusts as unknown[]).toEqual([[ecs], [ecs], [scheduler]]);
  });
});

test("the worker accepts its environment", () => {
  const template = new Template({
    ...SMALLEST,
    repositories: [
      { name: "api", url: "https://github.com/acme/api.git", branch: "main", credentials: "host" },
      { name: "acme/web", url: "https://git.acme.com:8443/web.git", credentials: "repository" },
      { name: "legacy" },
    ],
  });
  const container = template.container();
  const secrets = container.secrets as { name: string }[];
  expect(secrets.map(({ name }) => name)).toContain("PEOPLE_KEY");
  const given = [
    ...container.environment,
    ...secrets.map(({ name }) => ({ name, value: "me:hunter2-hunter2" })),
  ];
  const environment = Object.fromEntries(
    given.map(({ name, value }) => [
      name,
      value
        .replaceAll(ref("data.aws_caller_identity.account.account_id"), "123456789012")
        .replaceAll(ref("data.aws_partition.account_partition.dns_suffix"), "amazonaws.com"),
    ]),
  );
  const read = readEnvironment(environment, new Date(0)).repositories;
  expect(read.map(({ cursor, destination, branch }) => [cursor, destination, branch])).toEqual([
    ["/git-diff/acme/web", "git-diff-results-123456789012/acme/web", undefined],
    ["/git-diff/api", "git-diff-results-123456789012/api", "main"],
    ["/git-diff/legacy", "git-diff-results-123456789012/legacy", undefined],
  ]);
  const shared = expect.objectContaining({ password: "hunter2-hunter2" });
  expect(read.map(({ credentials }) => credentials)).toEqual([shared, shared, undefined]);
});

describe("many repositories", () => {
  test.each([10, 300])("%d synthesise in one collection", (count) => {
    const template = new Template({ ...SMALLEST, repositories: repositories(count) });
    const entries = JSON.parse(
      template.container().environment.find(({ name }) => name === "REPOSITORIES")?.value ?? "",
    );
    expect(entries).toHaveLength(count);
    const cursors = template.allStatements.filter(({ Sid }) => Sid === "Cursors");
    expect(new Set(cursors.flatMap(({ Resource }) => Resource)).size).toBe(count);
  });

  test("too many repositories for a task definition are an error that suggests another collection", () => {
    expect(() => new Template({ ...SMALLEST, repositories: repositories(500) })).toThrow(
      /collection "all" has 500 repositories, which need \d+ bytes in the task definition; ECS allows 63488: distribute them over at least 2 collections/,
    );
  });

  test("a thousand fit four collections", () => {
    const collections = [1, 2, 3, 4].map((number) => ({
      name: `part-${number}`,
      repositories: repositories(250, 250 * number),
    }));
    expect(() => new Template({ region: "eu-west-1", image: IMAGE, collections })).not.toThrow();
  });
});

describe("adding a repository", () => {
  const collections = (count: number) => [
    { name: "daily", repositories: repositories(count).toReversed() },
    {
      name: "hourly",
      schedule: "rate(1 hour)",
      repositories: [{ name: "web", url: "https://gitlab.com/a/web.git" }],
    },
  ];
  const stack = (count: number) =>
    new Template({ region: "eu-west-1", image: IMAGE, collections: collections(count) });

  test("changes its collection's task, and nothing else", () => {
    const [before, after] = [stack(3), stack(4)];
    expect(after.addresses).toEqual(before.addresses);
    const changed = before.addresses
      .filter((address) => !address.startsWith("data."))
      .filter((address) => !Bun.deepEquals(before.get(address), after.get(address)));
    expect(changed).toEqual(["aws_ecs_task_definition.task-daily", "aws_iam_policy.task-daily_worker_1"]);
  });

  test("with credentials of its own adds those too", () => {
    const before = new Template(SMALLEST);
    const web = { name: "web", url: "https://github.com/acme/web.git", credentials: "repository" };
    const after = new Template({ ...SMALLEST, repositories: [web, ...SMALLEST.repositories] });
    const added = after.addresses.filter((address) => !before.addresses.includes(address));
    expect(added).toEqual(["aws_ssm_parameter.credentials_web"]);
  });
});

test("the order of credentials does not depend on the order of repositories", () => {
  const hosts = ["c.example", "a.example", "b.example"];
  const secrets = (some: string[]) =>
    new Template({
      ...SMALLEST,
      repositories: some.map((host) => ({ name: host, url: `https://${host}/x.git`, credentials: "host" })),
    }).container().secrets;
  expect(secrets(hosts)).toEqual(secrets(hosts.toReversed()));
});

test("every output has a description, and every collection and credential its command", () => {
  const { json } = new Template({
    ...SMALLEST,
    kmsKey: "arn:aws:kms:eu-west-1:123456789012:key/1234",
    network: { subnets: ["subnet-01234567", "subnet-76543210"], securityGroups: ["sg-01234567"] },
    repositories: [{ name: "api", url: "https://github.com/acme/api.git", credentials: "host" }],
  });
  const outputs = json.output ?? {};
  expect(Object.keys(outputs).sort()).toEqual([
    "athena_console",
    "athena_queries",
    "bucket_name",
    "cluster_name",
    "image",
    "people_key",
    "run_now",
    "security_group_ids",
    "set_credentials",
    "subnet_ids",
    "subscribe_alarms",
    "task_definitions",
  ]);
  for (const { description } of Object.values(outputs)) expect(String(description)).toMatch(/^[A-Z].{20}/);
  expect(outputs.image?.value).toBe(IMAGE);
  expect(outputs.run_now?.value).toEqual({
    all: `aws ecs run-task --region eu-west-1 --cluster ${ref("aws_ecs_cluster.cluster.name")} --task-definition git-diff-all --launch-type FARGATE --network-configuration 'awsvpcConfiguration={subnets=[subnet-01234567,subnet-76543210],securityGroups=[sg-01234567],assignPublicIp=DISABLED}'`,
  });
  expect(outputs.subscribe_alarms?.value).toBe(
    `aws sns subscribe --region eu-west-1 --topic-arn ${ref("aws_sns_topic.alarms.arn")} --protocol email --notification-endpoint you@example.com`,
  );
  const peopleKey = ref("aws_ssm_parameter.tables_people_key.name");
  expect(outputs.people_key?.value).toEqual({
    show: `aws ssm get-parameter --region eu-west-1 --name ${peopleKey} --with-decryption --query Parameter.Value --output text`,
    set: `aws ssm put-parameter --region eu-west-1 --name ${peopleKey} --type SecureString --key-id arn:aws:kms:eu-west-1:123456789012:key/1234 --overwrite --value 'KEY'`,
  });
  expect(outputs.set_credentials?.value).toEqual({
    "github.com":
      "aws ssm put-parameter --region eu-west-1 --name /git-diff/_credentials/github.com --type SecureString --key-id arn:aws:kms:eu-west-1:123456789012:key/1234 --overwrite --value 'user:password'",
  });
});

test("two constructs with the same address are an error, not merged", () => {
  const stack = new GitDiff(Testing.app(), parseOne(SMALLEST));
  for (const id of ["a.b", "a_b"]) new SsmParameter(stack, id, { name: id, type: "String", value: "-" });
  expect(() => Testing.synth(stack)).toThrow(/have the same address a_b/);
});
