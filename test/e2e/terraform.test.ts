import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeSecurityGroupsCommand, DescribeSubnetsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { DescribeClustersCommand, DescribeTaskDefinitionCommand, ECSClient } from "@aws-sdk/client-ecs";
import {
  GetPolicyVersionCommand,
  GetRoleCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
} from "@aws-sdk/client-iam";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import {
  GetBucketEncryptionCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetObjectLockConfigurationCommand,
  PutBucketPolicyCommand,
} from "@aws-sdk/client-s3";
import { GetScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { GetParameterCommand, PutParameterCommand } from "@aws-sdk/client-ssm";
import type { Statement } from "../../modules/iam.ts";
import { tableObjects } from "../../modules/results.ts";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { IMAGE, repositories, SMALLEST } from "../fixtures/template.ts";
import { type Change, Deployment, type Named, run, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms("terraform", "terraform", "moto_server");
const noTofu = missingPrograms("opentofu", "tofu");
// Each deployment takes a minute, as the AWS provider waits for changes to spread; they take it side by side.
setDefaultTimeout(900_000);

const MIRRORED = {
  repositories: SMALLEST.repositories.map((repository) => ({ ...repository, collect: ["diffs", "mirror"] })),
  lockDays: 30,
  drill: { schedule: "cron(0 6 * * ? *)", parts: 7 },
};

describe.skipIf(missing !== undefined)(`a real Terraform${missing ? ` (${missing})` : ""}`, () => {
  let folder: string;
  let emulated: Aws;
  let environment: Record<string, string>;
  let aws: Clients;
  let kmsKey: string;
  let network: { subnets: string[]; securityGroups: string[] };
  let planned: Change[];
  let output: Record<"deploy" | "diff" | "destroy", string>;
  let deployments: Record<
    "smallest" | "many" | "private" | "kms" | "guarded" | "shared" | "mirrors" | "elsewhere",
    Deployment
  > & {
    tofu?: Deployment;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "git-diff-terraform-"));
    emulated = await startAws();
    environment = terraformEnvironment(emulated, folder);
    aws = clients(emulated);
    kmsKey = (await aws.kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? "";
    network = await existingNetwork(aws.ec2);
    deployments = {
      smallest: new Deployment({ ...SMALLEST, name: "smallest" }, environment),
      many: new Deployment(
        {
          region: "eu-west-1",
          name: "many",
          image: IMAGE,
          tags: { team: "platform" },
          collections: [
            { name: "daily", repositories: repositories(300) },
            {
              name: "hourly",
              schedule: "rate(1 hour)",
              timezone: "Europe/Berlin",
              repositories: [
                { name: "web", url: "https://git.acme.com:8443/web.git", credentials: "host" },
                { name: "app", url: "https://git.acme.com:8443/app.git", credentials: "repository" },
              ],
            },
          ],
        },
        environment,
      ),
      private: new Deployment({ ...SMALLEST, name: "private", network }, environment),
      kms: new Deployment(
        {
          ...SMALLEST,
          name: "kms",
          kmsKey,
          network,
          resultRetentionDays: 90,
          repositories: [
            { name: "legacy" },
            { name: "web", url: "https://github.com/acme/web.git", credentials: "host" },
          ],
        },
        environment,
      ),
      guarded: new Deployment(
        {
          ...SMALLEST,
          name: "guarded",
          kmsKey,
          vpc: { cidr: "172.31.0.0/16", flowLogs: true },
          accessLogs: await logBucket(emulated),
          alarms: ["ops@acme.com", "data@acme.com"],
          permissionsBoundary: "arn:aws:iam::123456789012:policy/developer",
          rolePath: "/acme/data/",
          logRetentionDays: 365,
          paused: true,
          flexibleWindowMinutes: 30,
          diskGiB: 100,
          timeoutSeconds: 600,
        },
        environment,
      ),
      shared: new Deployment(
        {
          ...SMALLEST,
          name: "shared",
          network: { ...network, proxy: "http://proxy.acme.com:3128", noProxy: [".acme.com"] },
          cluster: "there",
          bucket: "acme-data/git",
          alarms: "arn:aws:sns:eu-west-1:123456789012:ops",
          repositories: [
            {
              name: "api",
              url: "https://github.com/acme/api.git",
              credentials: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:git/github-AbCdEf:token::",
            },
          ],
        },
        environment,
      ),
      mirrors: new Deployment({ ...SMALLEST, ...MIRRORED, name: "mirrors", network }, environment),
      elsewhere: new Deployment(
        { ...SMALLEST, ...MIRRORED, name: "elsewhere", network, bucket: "acme-data/git" },
        environment,
      ),
    };
    if (noTofu === undefined) {
      deployments.tofu = new Deployment({ ...SMALLEST, name: "tofu" }, environment, "tofu");
    }
    const applied = Object.values(deployments).map(async (deployment) => {
      await deployment.init();
      await deployment.apply();
    });
    [planned, output] = await Promise.all([
      plan({ ...SMALLEST, name: "created", repositories: [{ name: "new", create: true }] }, environment),
      byCommandLine({ ...SMALLEST, name: "by-cdktf", network }, join(folder, "project"), environment),
      ...applied,
    ]);
  }, 900_000);

  afterAll(async () => {
    for (const deployment of Object.values(deployments ?? {})) deployment.remove();
    rmSync(folder, { recursive: true, force: true });
    await emulated?.close();
  });

  test("has nothing to change once it has applied", async () => {
    await Promise.all(Object.values(deployments).map((deployment) => deployment.planNothing()));
  });

  test.skipIf(noTofu !== undefined)(`is the same by OpenTofu${noTofu ? ` (${noTofu})` : ""}`, async () => {
    const resources = (deployment?: Deployment) => JSON.parse(deployment?.state ?? "").resources;
    const addresses = (deployment?: Deployment) =>
      resources(deployment).map(({ mode, type, name }: Address) => `${mode} ${type}.${name}`);
    expect(addresses(deployments.tofu)).toEqual(addresses(deployments.smallest));
    const providers = resources(deployments.tofu).map(({ provider }: Address) => provider);
    expect([...new Set(providers)]).toEqual(['provider["registry.opentofu.org/hashicorp/aws"]']);
  });

  test.skipIf(noTofu !== undefined)("takes over OpenTofu's state, and gives it back", async () => {
    const { tofu } = deployments as Required<typeof deployments>;
    for (const program of ["terraform", "tofu"] as const) {
      tofu.program = program;
      await tofu.init();
      await tofu.planNothing();
    }
  });

  test("schedules this very task, in this cluster and these subnets, with this environment", async () => {
    const outputs = await deployments.smallest.outputs();
    const { Target, ...schedule } = await aws.scheduler.send(
      new GetScheduleCommand({ GroupName: "smallest", Name: "smallest-all" }),
    );
    expect(schedule).toMatchObject({
      ScheduleExpression: "cron(0 0 * * ? *)",
      ScheduleExpressionTimezone: "UTC",
      State: "ENABLED",
    });
    expect(Target?.Arn).toBe("arn:aws:scheduler:::aws-sdk:ecs:runTask");
    expect(Target?.RetryPolicy).toEqual({ MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 20 });
    expect(Target?.DeadLetterConfig?.Arn).toBe("arn:aws:sqs:eu-west-1:123456789012:smallest-not-started");

    const { Cluster, TaskDefinition, NetworkConfiguration, Overrides, ...rest } = JSON.parse(
      Target?.Input ?? "",
    );
    const { clusters = [] } = await aws.ecs.send(new DescribeClustersCommand({ clusters: [Cluster] }));
    expect(TaskDefinition).toBe("smallest-all");
    expect(clusters.map(({ clusterName, status }) => [clusterName, status])).toEqual([
      ["smallest", "ACTIVE"],
    ]);
    const { taskDefinition } = await aws.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: TaskDefinition }),
    );
    expect(taskDefinition).toMatchObject({
      family: "smallest-all",
      status: "ACTIVE",
    });
    expect(taskDefinition?.containerDefinitions?.[0]?.name).toBe(Overrides.ContainerOverrides[0].Name);
    const time = "<aws.scheduler.scheduled-time>";
    expect(Overrides.ContainerOverrides[0].Environment).toEqual([{ Name: "SCHEDULED_TIME", Value: time }]);
    const { Subnets, SecurityGroups, AssignPublicIp } = NetworkConfiguration.AwsvpcConfiguration;
    expect([Subnets, SecurityGroups, AssignPublicIp]).toEqual([
      outputs.subnet_ids?.value,
      outputs.security_group_ids?.value,
      "ENABLED",
    ]);
    expect(rest).toEqual({
      LaunchType: "FARGATE",
      ClientToken: expect.stringMatching(/^all-[0-9a-f]{8}-<aws\.scheduler\.scheduled-time>$/),
      StartedBy: "smallest-all",
      PropagateTags: "TASK_DEFINITION",
    });
  });

  test("registers the task as it was written", async () => {
    const { taskDefinition } = await aws.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: "smallest-all" }),
    );
    expect(taskDefinition).toMatchObject({
      cpu: "1024",
      memory: "2048",
      networkMode: "awsvpc",
      requiresCompatibilities: ["FARGATE"],
      runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" },
      taskRoleArn: "arn:aws:iam::123456789012:role/smallest-all-task",
      executionRoleArn: "arn:aws:iam::123456789012:role/smallest-all-execution",
      volumes: [{ name: "scratch" }],
    });
    const [container] = taskDefinition?.containerDefinitions ?? [];
    expect(container).toMatchObject({ image: IMAGE, readonlyRootFilesystem: true, user: "65532:65532" });
    expect(
      JSON.parse(container?.environment?.find(({ name }) => name === "REPOSITORIES")?.value ?? ""),
    ).toEqual([
      {
        gitRepo: "https://github.com/acme/api.git",
        parameterName: "/smallest/api",
        resultsBucket: "smallest-results-123456789012/api",
      },
    ]);
  });

  test("puts tasks in two zones, with a way out on port 443 and none in", async () => {
    const outputs = await deployments.smallest.outputs();
    const { Subnets = [] } = await aws.ec2.send(
      new DescribeSubnetsCommand({ SubnetIds: outputs.subnet_ids?.value }),
    );
    expect(Subnets.map(({ AvailabilityZone }) => AvailabilityZone).sort()).toEqual([
      "eu-west-1a",
      "eu-west-1b",
    ]);
    const { SecurityGroups = [] } = await aws.ec2.send(
      new DescribeSecurityGroupsCommand({ GroupIds: outputs.security_group_ids?.value }),
    );
    expect(SecurityGroups.map(({ IpPermissions }) => IpPermissions)).toEqual([[]]);
    const out = SecurityGroups.flatMap(({ IpPermissionsEgress = [] }) => IpPermissionsEgress);
    expect(out.map(({ IpProtocol, FromPort, ToPort }) => [IpProtocol, FromPort, ToPort])).toEqual([
      ["tcp", 443, 443],
    ]);
  });

  test("gives roles the permissions of the code", async () => {
    expect(await permissions(aws.iam, "smallest-all-task")).toEqual([
      {
        Sid: "Cursors",
        Effect: "Allow",
        Action: ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
        Resource: ["arn:aws:ssm:eu-west-1:123456789012:parameter/smallest/api"],
      },
      {
        Sid: "PutResults",
        Effect: "Allow",
        Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
        Resource: stored("smallest", "all"),
      },
      {
        Sid: "ReadStepRecords",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: ["arn:aws:s3:::smallest-results-123456789012/api/_*"],
      },
      {
        Sid: "ReadTables",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: tableObjects("all").map((name) => `arn:aws:s3:::smallest-results-123456789012/${name}`),
      },
      {
        Sid: "ListResults",
        Effect: "Allow",
        Action: ["s3:ListBucket"],
        Resource: ["arn:aws:s3:::smallest-results-123456789012"],
      },
    ]);
    expect(await permissions(aws.iam, "smallest-all-execution")).toEqual([
      {
        Sid: "Log",
        Effect: "Allow",
        Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
        Resource: ["arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/smallest/all:log-stream:all/*"],
      },
      { Sid: "RegistryLogin", Effect: "Allow", Action: ["ecr:GetAuthorizationToken"], Resource: ["*"] },
      {
        Sid: "PullImage",
        Effect: "Allow",
        Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        Resource: ["arn:aws:ecr:eu-west-1:123456789012:repository/git-diff"],
      },
      {
        Sid: "ReadCredentials",
        Effect: "Allow",
        Action: ["ssm:GetParameters"],
        Resource: ["arn:aws:ssm:eu-west-1:123456789012:parameter/smallest/_people-key"],
      },
    ]);
    expect(await permissions(aws.iam, "smallest-all-schedule")).toEqual([
      {
        Sid: "StartTask",
        Effect: "Allow",
        Action: ["ecs:RunTask"],
        Resource: ["arn:aws:ecs:eu-west-1:123456789012:task-definition/smallest-all:*"],
        Condition: { ArnEquals: { "ecs:cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/smallest" } },
      },
      {
        Sid: "TagTask",
        Effect: "Allow",
        Action: ["ecs:TagResource"],
        Resource: ["arn:aws:ecs:eu-west-1:123456789012:task/smallest/*"],
        Condition: { StringEquals: { "ecs:CreateAction": "RunTask" } },
      },
      {
        Sid: "PassRoles",
        Effect: "Allow",
        Action: ["iam:PassRole"],
        Resource: [
          "arn:aws:iam::123456789012:role/smallest-all-task",
          "arn:aws:iam::123456789012:role/smallest-all-execution",
        ],
        Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
      },
      {
        Sid: "DeadLetters",
        Effect: "Allow",
        Action: ["sqs:SendMessage"],
        Resource: ["arn:aws:sqs:eu-west-1:123456789012:smallest-not-started"],
      },
    ]);
    const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: "smallest-all-schedule" }));
    expect(JSON.parse(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? "")).Statement).toEqual([
      {
        Effect: "Allow",
        Principal: { Service: "scheduler.amazonaws.com" },
        Action: "sts:AssumeRole",
        Condition: {
          StringEquals: {
            "aws:SourceAccount": "123456789012",
            "aws:SourceArn": "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/smallest",
          },
        },
      },
    ]);
  });

  test("has the bucket refuse plain HTTP", async () => {
    const bucket = "arn:aws:s3:::smallest-results-123456789012";
    const { Policy = "" } = await aws.s3.send(
      new GetBucketPolicyCommand({ Bucket: "smallest-results-123456789012" }),
    );
    expect(JSON.parse(Policy).Statement).toEqual([
      {
        Sid: "TlsOnly",
        Effect: "Deny",
        Principal: "*",
        Action: ["s3:*"],
        Resource: [bucket, `${bucket}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ]);
  });

  test("gives many repositories a role that names each of them", async () => {
    const statements = await permissions(aws.iam, "many-daily-task");
    const named = statements.flatMap(({ Resource }) => Resource);
    const names = repositories(300).map(({ name }) => name);
    expect(named).toEqual([
      ...names.map((name) => `arn:aws:ssm:eu-west-1:123456789012:parameter/many/${name}`),
      ...stored("many", "daily"),
      ...names.map((name) => `arn:aws:s3:::many-results-123456789012/${name}/_*`),
      ...tableObjects("daily").map((name) => `arn:aws:s3:::many-results-123456789012/${name}`),
      "arn:aws:s3:::many-results-123456789012",
    ]);
  });

  test("tags what it makes", async () => {
    const { TagSet = [] } = await aws.s3.send(
      new GetBucketTaggingCommand({ Bucket: "many-results-123456789012" }),
    );
    const tags = Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value]));
    expect(tags).toEqual({ "git-diff-to-s3": "many", team: "platform" });
  });

  test("hands each collection its own credentials only, and its own time", async () => {
    const secrets = async (taskDefinition: string) => {
      const found = await aws.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
      return found.taskDefinition?.containerDefinitions?.[0]?.secrets ?? [];
    };
    const parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/many";
    expect(await secrets("many-hourly")).toEqual([
      { name: "GIT_HTTP_CREDENTIALS_APP", valueFrom: `${parameter}/app/_credentials` },
      {
        name: "GIT_HTTP_CREDENTIALS_GIT_ACME_COM_8443",
        valueFrom: `${parameter}/_credentials/git.acme.com_8443`,
      },
      { name: "PEOPLE_KEY", valueFrom: `${parameter}/_people-key` },
    ]);
    expect(await secrets("many-daily")).toEqual([
      { name: "PEOPLE_KEY", valueFrom: `${parameter}/_people-key` },
    ]);
    const schedule = await aws.scheduler.send(
      new GetScheduleCommand({ GroupName: "many", Name: "many-hourly" }),
    );
    expect(schedule.ScheduleExpression).toBe("rate(1 hour)");
    expect(schedule.ScheduleExpressionTimezone).toBe("Europe/Berlin");
  });

  test("leaves a credential that was set by hand alone, and keeps it out of the state", async () => {
    const Name = "/many/_credentials/git.acme.com_8443";
    const value = async (name = Name) => {
      const command = new GetParameterCommand({ Name: name, WithDecryption: true });
      return (await aws.ssm.send(command)).Parameter?.Value ?? "";
    };
    expect(await value()).toBe("-");
    const peopleKey = await value("/many/_people-key");
    expect(peopleKey).toMatch(/^[A-Za-z0-9]{64}$/);
    await aws.ssm.send(
      new PutParameterCommand({ Name, Value: "me:hunter2", Type: "SecureString", Overwrite: true }),
    );
    await deployments.many.terraform([
      "apply",
      "-refresh-only",
      "-auto-approve",
      "-input=false",
      "-no-color",
    ]);
    await deployments.many.planNothing();
    expect(await value()).toBe("me:hunter2");
    expect(deployments.many.state).not.toContain("hunter2");
    // The same of the secret of people's hashes, which Terraform makes once.
    expect(await value("/many/_people-key")).toBe(peopleKey);
    expect(await value("/kms/_people-key")).not.toBe(peopleKey);
    expect(deployments.many.state).not.toContain(peopleKey);
  });

  test("uses a network that is there, without public addresses", async () => {
    const addresses = await deployments.private.terraform(["state", "list"]);
    expect(addresses).not.toMatch(/aws_(vpc|subnet|security_group|internet_gateway|route_table)\b/);
    const { Target } = await aws.scheduler.send(
      new GetScheduleCommand({ GroupName: "private", Name: "private-all" }),
    );
    expect(JSON.parse(Target?.Input ?? "").NetworkConfiguration.AwsvpcConfiguration).toEqual({
      Subnets: network.subnets,
      SecurityGroups: network.securityGroups,
      AssignPublicIp: "DISABLED",
    });
  });

  test("encrypts with a key that is there", async () => {
    const { ServerSideEncryptionConfiguration } = await aws.s3.send(
      new GetBucketEncryptionCommand({ Bucket: "kms-results-123456789012" }),
    );
    expect(ServerSideEncryptionConfiguration?.Rules?.[0]).toMatchObject({
      ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: kmsKey },
      BucketKeyEnabled: true,
    });
    const statements = [
      ...(await permissions(aws.iam, "kms-all-task")),
      ...(await permissions(aws.iam, "kms-all-execution")),
    ];
    expect(statements.filter(({ Sid }) => /Key$/.test(Sid))).toEqual([
      {
        Sid: "ResultsKey",
        Effect: "Allow",
        Action: ["kms:Decrypt", "kms:GenerateDataKey"],
        Resource: [kmsKey],
        Condition: { StringEquals: { "kms:ViaService": "s3.eu-west-1.amazonaws.com" } },
      },
      {
        Sid: "CredentialsKey",
        Effect: "Allow",
        Action: ["kms:Decrypt"],
        Resource: [kmsKey],
        Condition: { StringEquals: { "kms:ViaService": ["ssm.eu-west-1.amazonaws.com"] } },
      },
    ]);
  });

  test("subscribes the configured addresses, and logs every connection and every access", async () => {
    const addresses = (await deployments.guarded.terraform(["state", "list"])).split("\n");
    expect(addresses.filter((address) => /subscription|flow_log|logging/.test(address))).toEqual([
      "aws_flow_log.flow-logs",
      "aws_s3_bucket_logging.results_access-logs",
      "aws_sns_topic_subscription.alarms_to-data_acme_com",
      "aws_sns_topic_subscription.alarms_to-ops_acme_com",
    ]);
  });

  test("bounds its roles, and keeps a paused collection's schedule", async () => {
    const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: "guarded-all-task" }));
    expect(Role).toMatchObject({
      Arn: "arn:aws:iam::123456789012:role/acme/data/guarded-all-task",
      PermissionsBoundary: { PermissionsBoundaryArn: "arn:aws:iam::123456789012:policy/developer" },
    });
    const schedule = await aws.scheduler.send(
      new GetScheduleCommand({ GroupName: "guarded", Name: "guarded-all" }),
    );
    expect(schedule).toMatchObject({
      State: "DISABLED",
      FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 30 },
    });
  });

  test("uses a bucket, a cluster, a topic and a secret that are there, and makes none of them", async () => {
    const addresses = await deployments.shared.terraform(["state", "list"]);
    expect(addresses).not.toMatch(/aws_(s3_bucket|ecs_cluster|sns_topic|ssm_parameter\.credentials)/);
    const policy = JSON.parse((await deployments.shared.outputs()).bucket_policy?.value ?? "");
    expect(policy.Statement[0]).toEqual({
      Sid: "PutResults",
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
      Resource: ["*.diff", "*/_steps/*", "*/_rows/*", "tables/*"].map(
        (name) => `arn:aws:s3:::acme-data/git/${name}`,
      ),
      Principal: { AWS: ["arn:aws:iam::123456789012:role/shared-all-task"] },
    });
  });

  test("has the tables in Athena, each with the place of a month", () => {
    const { resources }: { resources: { type: string; instances: { attributes: Values }[] }[] } = JSON.parse(
      deployments.shared.state,
    );
    const attributes = (wanted: string) =>
      resources.flatMap(({ type, instances }) =>
        type === wanted ? instances.map(({ attributes }) => attributes) : [],
      );
    expect(attributes("aws_glue_catalog_table")).toMatchObject(
      ["commits", "files", "steps"].map((name) => ({
        database_name: "shared",
        name,
        parameters: {
          // Terraform has taken away what kept it from reading this as a reference of its own.
          "storage.location.template": `s3://acme-data/git/tables/v1/${name}/month=\${month}/`,
        },
      })),
    );
    expect(attributes("aws_athena_workgroup")).toMatchObject([
      {
        name: "shared",
        configuration: [{ result_configuration: [{ output_location: "s3://acme-data/git/athena/" }] }],
      },
    ]);
  });

  test("locks the bucket, and schedules a drill that verifies and extends the locks", async () => {
    const { ObjectLockConfiguration } = await aws.s3.send(
      new GetObjectLockConfigurationCommand({ Bucket: "mirrors-results-123456789012" }),
    );
    expect(ObjectLockConfiguration).toMatchObject({
      ObjectLockEnabled: "Enabled",
      Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 30 } },
    });
    const { Target, ScheduleExpression } = await aws.scheduler.send(
      new GetScheduleCommand({ GroupName: "mirrors", Name: "mirrors-all-drill" }),
    );
    expect(ScheduleExpression).toBe(MIRRORED.drill.schedule);
    const taskDefinition = JSON.parse(Target?.Input ?? "").TaskDefinition;
    const found = await aws.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
    expect(found.taskDefinition?.containerDefinitions?.[0]?.command).toEqual([
      "verify",
      "--replay",
      "--part",
      "next/7",
      "--lock-days",
      "30",
    ]);
    const granted = await permissions(aws.iam, "mirrors-all-drill-task");
    expect(granted.flatMap(({ Action }) => Action).sort()).toEqual([
      "s3:GetObject",
      "s3:GetObjectRetention",
      "s3:ListBucket",
      "s3:PutObject",
      "s3:PutObjectRetention",
    ]);
  });

  test("extends the locks of a bucket that is there, which its owner locks", async () => {
    const addresses = await deployments.elsewhere.terraform(["state", "list"]);
    expect(addresses).not.toMatch(/aws_s3_bucket/);
    const policy = JSON.parse((await deployments.elsewhere.outputs()).bucket_policy?.value ?? "");
    expect(policy.Statement.find(({ Sid }: Statement) => Sid === "ExtendLocks")).toEqual({
      Sid: "ExtendLocks",
      Effect: "Allow",
      Action: ["s3:GetObjectRetention", "s3:PutObjectRetention"],
      Resource: ["arn:aws:s3:::acme-data/git/*.git/*"],
      Principal: { AWS: ["arn:aws:iam::123456789012:role/elsewhere-all-drill-task"] },
    });
  });

  test("plans a CodeCommit repository to be created", () => {
    expect(planned.find(({ address }) => address.includes("codecommit"))).toMatchObject({
      address: 'aws_codecommit_repository.codecommit["new"]',
      change: { actions: ["create"], after: { repository_name: "new" } },
    });
  });

  test("is deployed, compared and destroyed by the CDKTF command line too", () => {
    expect(output.deploy).toContain("run_now");
    expect(output.diff).toContain("No changes");
    expect(output.destroy).toMatch(/Destroy complete! Resources: \d\d destroyed/);
  });

  test("reads the versions in the committed lock file", async () => {
    const lock = readFileSync(join(import.meta.dirname, "../../.terraform.lock.hcl"), "utf8");
    const locked = [...lock.matchAll(/provider "(.+)" \{\s+version +?= "(.+)"/g)];
    expect(locked).toHaveLength(2);
    expect(await lockedProviders(join(folder, "locked"))).toEqual(
      Object.fromEntries(locked.map(([, name, version]) => [name, version])),
    );
  });

  test("leaves nothing behind when it is destroyed", async () => {
    await Promise.all(Object.values(deployments).map((deployment) => deployment.destroy()));
    const gone = aws.s3.send(new GetBucketPolicyCommand({ Bucket: "smallest-results-123456789012" }));
    await expect(gone).rejects.toThrow(/not exist/);
    for (const deployment of Object.values(deployments)) {
      expect(JSON.parse(deployment.state).resources).toEqual([]);
    }
  });
});

/** The versions of the providers that Terraform finds locked where `main.ts` synthesises. */
async function lockedProviders(CDKTF_OUTDIR: string): Promise<unknown> {
  const cwd = join(import.meta.dirname, "../..");
  expect((await run([process.execPath, "main.ts"], { cwd, environment: { CDKTF_OUTDIR } })).status).toBe(0);
  const stack = join(CDKTF_OUTDIR, "stacks/git-diff");
  const environment = { CHECKPOINT_DISABLE: "1" };
  const { stdout } = await run(["terraform", "version", "-json"], { cwd: stack, environment });
  return JSON.parse(stdout).provider_selections;
}

/** A resource in the state. */
interface Address {
  readonly mode: string;
  readonly type: string;
  readonly name: string;
  readonly provider: string;
}

/** What Terraform would do for a configuration. The emulator's answer to making a CodeCommit repository it cannot read. */
async function plan(gitDiff: Named, environment: Record<string, string>): Promise<Change[]> {
  const deployment = new Deployment(gitDiff, environment);
  try {
    await deployment.init();
    return await deployment.plan();
  } finally {
    deployment.remove();
  }
}

/** Deploys, compares and destroys a configuration with the CDKTF command line. Returns what it prints. */
async function byCommandLine(gitDiff: Named, project: string, environment: Record<string, string>) {
  const root = join(import.meta.dirname, "../..");
  mkdirSync(project);
  writeFileSync(
    join(project, "main.ts"),
    `import { synthesise } from ${JSON.stringify(join(root, "test/fixtures/terraform.ts"))};
synthesise(${JSON.stringify(gitDiff)});\n`,
  );
  const app = `${process.execPath} main.ts`;
  writeFileSync(join(project, "cdktf.json"), JSON.stringify({ language: "typescript", app }));
  const cdktf = async (...args: string[]) => {
    const command = [join(root, "node_modules/.bin/cdktf"), ...args, "--skip-provider-lock"] as const;
    const ended = await run(command, { cwd: project, environment: { ...environment, CI: "1" } });
    if (ended.status === 0) return ended.output;
    throw new Error(`cdktf ${args.join(" ")} ended with ${ended.status}:\n${ended.output}`);
  };
  return {
    deploy: await cdktf("deploy", "--auto-approve"),
    diff: await cdktf("diff"),
    destroy: await cdktf("destroy", "--auto-approve"),
  };
}

type Clients = ReturnType<typeof clients>;

function clients({ motoEndpoint, environment, s3, ssm }: Aws) {
  const options = {
    endpoint: motoEndpoint,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? "",
    },
  };
  return {
    ec2: new EC2Client(options),
    ecs: new ECSClient(options),
    iam: new IAMClient(options),
    kms: new KMSClient(options),
    scheduler: new SchedulerClient(options),
    s3,
    ssm,
  };
}

/** Makes a bucket that S3 may write its access logs to. Returns its name. */
async function logBucket({ s3, createBucket }: Aws): Promise<string> {
  const Bucket = await createBucket("access-logs");
  const Statement = {
    Effect: "Allow",
    Principal: { Service: "logging.s3.amazonaws.com" },
    Action: "s3:PutObject",
    Resource: `arn:aws:s3:::${Bucket}/*`,
  };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [Statement] });
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  return Bucket;
}

/** Two subnets and a security group of the account's default VPC. */
async function existingNetwork(ec2: EC2Client): Promise<{ subnets: string[]; securityGroups: string[] }> {
  const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({}));
  return {
    subnets: Subnets.slice(0, 2).map(({ SubnetId = "" }) => SubnetId),
    securityGroups: SecurityGroups.slice(0, 1).map(({ GroupId = "" }) => GroupId),
  };
}

type Values = Readonly<Record<string, unknown>>;

/** Where a collection of a stack with tables may store. */
const stored = (stack: string, collection: string) =>
  ["*.diff", "*/_steps/*", "*/_rows/*", ...tableObjects(collection)].map(
    (name) => `arn:aws:s3:::${stack}-results-123456789012/${name}`,
  );

/** Every statement of every policy that is attached to a role, in order. */
async function permissions(iam: IAMClient, RoleName: string): Promise<Statement[]> {
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  const arns = AttachedPolicies.map(({ PolicyArn = "" }) => PolicyArn).sort();
  const documents = await Promise.all(
    arns.map((PolicyArn) => iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: "v1" }))),
  );
  return documents.flatMap(
    ({ PolicyVersion }) => JSON.parse(decodeURIComponent(PolicyVersion?.Document ?? "")).Statement,
  );
}
