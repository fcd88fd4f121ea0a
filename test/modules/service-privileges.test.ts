import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { DescribeSecurityGroupsCommand, DescribeSubnetsCommand, EC2Client } from "@aws-sdk/client-ec2";
import type { Statement } from "../../modules/iam.ts";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { type IamEnforcer, startIamEnforcer } from "../fixtures/iam-enforcer.ts";
import { deniedAction, trusts } from "../fixtures/iam-policy.ts";
import { ACCOUNT, resolve, type StackRole, stackRoles, withoutEach } from "../fixtures/stack-role.ts";
import { IMAGE, Template } from "../fixtures/template.ts";

setDefaultTimeout(30_000);

const region = "eu-west-1";
const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${ACCOUNT}:${resource}`;
const kmsKey = arn("kms", "key/1234");
const secret = arn("secretsmanager", "secret:gitlab-AbCdEf");
const credentials = ["host", "repository", arn("ssm", "parameter/acme/gitea"), `${secret}:token::`];
const template = new Template({
  region,
  image: IMAGE,
  kmsKey,
  vpc: { flowLogs: true },
  drill: { schedule: "rate(1 day)" },
  onPush: true,
  repositories: [
    ...credentials.map((credential, index) => ({
      name: `r${index}`,
      url: `https://git${index}.acme.com/r.git`,
      credentials: credential,
      collect: ["diffs", "mirror"],
    })),
    { name: "pushed" },
  ],
});
const roles = stackRoles(template);
const roleOf = (id: string): StackRole => {
  const role = roles[id];
  if (!role) throw new Error(`There is no role ${id} among ${Object.keys(roles).join(", ")}`);
  return role;
};
/** The task that collects, and that of its drill. */
const tasks = ["all", "all-drill"].map((collection) => ({
  collection,
  worker: roleOf(`task-${collection}_worker`),
  execution: roleOf(`task-${collection}_execution`),
  schedule: roleOf(`schedule-${collection}_role`),
}));
type Task = (typeof tasks)[number];
const flowLogs = roleOf("flow-logs_role");
const onPush = roleOf("on-push-all_role");

/** What each service names as the source when it assumes a role. */
const sources: Record<string, string> = {
  // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
  "ecs-tasks.amazonaws.com": arn("ecs", "task/git-diff/0123456789abcdef0123456789abcdef"),
  // https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
  "scheduler.amazonaws.com": arn("scheduler", "schedule-group/git-diff"),
  // https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
  "events.amazonaws.com": arn("events", "rule/git-diff-all-push-1"),
  // https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
  "vpc-flow-logs.amazonaws.com": arn("ec2", "vpc-flow-log/fl-0123456789abcdef0"),
};

let aws: Aws;
let iam: IamEnforcer;
let clusterIsGone = false;
let network: { Subnets: string[]; SecurityGroups: string[] };

beforeAll(async () => {
  aws = await startAws();
  iam = await startIamEnforcer(aws.endpoint, { region, account: ACCOUNT, secretKey: kmsKey });
  await prepare();
});

afterAll(async () => {
  await Promise.all([iam.close(), aws.close()]);
});

test("every role is proven below", () => {
  // What a worker itself may do is proven in worker-privileges.test.ts.
  const proven = [
    ...tasks.flatMap(({ worker, execution, schedule }) => [worker, execution, schedule]),
    flowLogs,
    onPush,
  ];
  expect(Object.values(roles).filter((role) => !proven.includes(role))).toEqual([]);
});

describe.each(tasks)("the execution role of $collection", (task) => {
  const { statements } = task.execution;

  test("has every permission that a start needs", async () => {
    expect(await start(task, statements)).toBeUndefined();
    expect(iam.denied).toEqual([]);
  });

  test.each(withoutEach(statements))("$name: the start fails, and says why", async (without) => {
    const reason = await start(task, without.statements);
    expect(iam.denied).toEqual([reason ?? ""]);
    expect(without.actions).toContain(deniedAction(reason));
  });
});

describe.each(tasks)("the schedule's role of $collection", (task) => {
  test("has every permission that a start needs, and one that fails", async () => {
    expect(await schedules(task, task.schedule.statements)).toEqual({
      tasks: 1,
      letters: ["ClusterNotFoundException"],
    });
    expect(iam.denied).toEqual([]);
  });

  test.each(withoutEach(task.schedule.statements))(
    "$name: the start fails, and says why",
    async (without) => {
      const { tasks, letters } = await schedules(task, without.statements);
      const reason = iam.denied[0] ?? "";
      expect(without.actions).toContain(deniedAction(reason));
      // Without the permission for the letter there is none. That Scheduler counts in a metric only.
      const hasLetters = !without.actions.includes("sqs:SendMessage");
      expect({ tasks, letters }).toEqual(
        hasLetters ? { tasks: 0, letters: [reason, reason] } : { tasks: 1, letters: [] },
      );
    },
  );
});

describe("the role of pushes", () => {
  test("has every permission that a start needs", async () => {
    expect(await startOnPush(onPush.statements)).toBeUndefined();
    expect(iam.denied).toEqual([]);
  });

  test.each(withoutEach(onPush.statements))("$name: the start fails, and says why", async (without) => {
    const reason = await startOnPush(without.statements);
    expect(iam.denied).toEqual([reason ?? ""]);
    expect(without.actions).toContain(deniedAction(reason));
  });
});

describe("the flow log's role", () => {
  test("has every permission that the VPC needs", async () => {
    expect(await writeFlowLog(flowLogs.statements)).toBeUndefined();
  });

  test.each(withoutEach(flowLogs.statements))("$name: nothing is logged", async (without) => {
    const reason = await writeFlowLog(without.statements);
    expect(without.actions).toContain(deniedAction(reason));
  });
});

describe.each(Object.entries(roles))("the role %s", (_, { trust }) => {
  const [{ Principal } = { Principal: {} }] = trust;
  const { Service: service = "" } = Principal as { Service?: string };
  const source = sources[service] ?? "";
  const own = { "aws:SourceAccount": ACCOUNT, "aws:SourceArn": source };
  const foreignArn = source.replace(ACCOUNT, "999999999999");

  test("can be assumed for this stack", () => {
    expect(trusts(trust, service, own)).toBe(true);
  });

  test.each([
    ["another account", { "aws:SourceAccount": "999999999999", "aws:SourceArn": foreignArn }],
    ["a resource of another account", { ...own, "aws:SourceArn": foreignArn }],
    ["another account's use of this resource", { ...own, "aws:SourceAccount": "999999999999" }],
    ["another kind of resource", { ...own, "aws:SourceArn": arn("lambda", "function:x") }],
    ["another region", { ...own, "aws:SourceArn": source.replace(region, "us-east-1") }],
    ["nobody in particular", {}],
  ])("cannot be assumed for %s", (_name, context) => {
    expect(trusts(trust, service, context)).toBe(false);
  });

  test("cannot be assumed by another service", () => {
    expect(trusts(trust, "lambda.amazonaws.com", own)).toBe(false);
  });
});

test("the schedule's role cannot be assumed for the schedules of another group", () => {
  const context = { "aws:SourceAccount": ACCOUNT, "aws:SourceArn": arn("scheduler", "schedule-group/other") };
  for (const { schedule } of tasks) {
    expect(trusts(schedule.trust, "scheduler.amazonaws.com", context)).toBe(false);
  }
});

/**
 * Makes the calls of ECS when it starts a task on Fargate, as its agents do with the execution role. Returns why it stops.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html,
 * https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSTaskExecutionRolePolicy.html
 */
async function start(
  { collection, execution }: Task,
  statements: readonly Statement[],
): Promise<string | undefined> {
  iam.act(execution.principal, statements);
  const { image, name, secrets, logConfiguration } = JSON.parse(
    resolve(template, JSON.stringify(template.container(collection))),
  );
  const [, registryId, repositoryName, imageDigest] =
    /^(\d+)\.dkr\.ecr\.[^/]+\/(.+)@(sha256:\w+)$/.exec(image) ?? [];
  const repository = { registryId, repositoryName };
  const values: string[] = secrets.map(({ valueFrom }: { valueFrom: string }) => valueFrom);
  const names = values.filter((one) => one.includes(":ssm:"));
  const options = logConfiguration.options as Record<string, string>;
  const stream = {
    logGroupName: options["awslogs-group"],
    logStreamName: `${options["awslogs-stream-prefix"]}/${name}/${Date.now()}`,
  };
  const event = { timestamp: Date.now(), message: "started" };
  return firstError([
    ["ecr", "GetAuthorizationToken", {}],
    ["ecr", "BatchGetImage", { ...repository, imageIds: [{ imageDigest }] }],
    ["ecr", "BatchCheckLayerAvailability", { ...repository, layerDigests: [imageDigest] }],
    ["ecr", "GetDownloadUrlForLayer", { ...repository, layerDigest: imageDigest }],
    ...(names.length > 0 ? [["ssm", "GetParameters", { Names: names, WithDecryption: true }] as const] : []),
    // The secret's ARN, without the key of a value in it.
    ...values.flatMap((one): Call[] =>
      one.includes(":secretsmanager:")
        ? [["secretsmanager", "GetSecretValue", { SecretId: one.split(":").slice(0, 7).join(":") }]]
        : [],
    ),
    ["logs", "CreateLogStream", stream],
    ["logs", "PutLogEvents", { ...stream, logEvents: [event] }],
  ]);
}

/**
 * Starts the task as EventBridge Scheduler does, and then again after its cluster is gone.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html,
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
 */
async function schedules(
  { collection, worker, execution, schedule }: Task,
  statements: readonly Statement[],
) {
  iam.act(schedule.principal, statements);
  iam.where.taskRoles = [worker, execution].map(({ principal }) => principal.role ?? "");
  const { input: text, dead_letter_config } = template.get(`aws_scheduler_schedule.schedule-${collection}`)
    .target as Record<"input", string> & { dead_letter_config: { arn: string } };
  const input = JSON.parse(resolve(template, text.replace(/\$\{[\w.-]+\.id\}/g, "the emulator's")));
  input.NetworkConfiguration.AwsvpcConfiguration = network;
  const queue = resolve(template, dead_letter_config.arn).split(":").at(-1);
  const QueueUrl = `${aws.motoEndpoint}/${ACCOUNT}/${queue}`;
  await call(aws.motoEndpoint, ["sqs", "PurgeQueue", { QueueUrl }]);
  let tasks = 0;
  for (const gone of [false, true]) {
    clusterIsGone = gone;
    const { error } = await call(iam.endpoint, ["ecs", "RunTask", camelCase(input)]);
    if (error === undefined) tasks++;
    else await call(iam.endpoint, ["sqs", "SendMessage", { QueueUrl, MessageBody: error }]);
  }
  const { body } = await call(aws.motoEndpoint, [
    "sqs",
    "ReceiveMessage",
    { QueueUrl, MaxNumberOfMessages: 10 },
  ]);
  const messages: { Body: string }[] = JSON.parse(body).Messages ?? [];
  return { tasks, letters: messages.map(({ Body }) => Body) };
}

/** Starts the task as EventBridge does for a target of this kind: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html */
async function startOnPush(statements: readonly Statement[]): Promise<string | undefined> {
  iam.act(onPush.principal, statements);
  const [task] = tasks;
  iam.where.taskRoles = [task?.worker, task?.execution].map((role) => role?.principal.role ?? "");
  clusterIsGone = false;
  const target = template.get("aws_cloudwatch_event_target.on-push-all_start-1");
  const ecs = target.ecs_target as Record<string, string>;
  return firstError([
    [
      "ecs",
      "RunTask",
      {
        cluster: resolve(template, target.arn),
        taskDefinition: String(ecs.task_definition_arn).split("/").at(-1),
        launchType: ecs.launch_type,
        propagateTags: ecs.propagate_tags,
        networkConfiguration: camelCase({ AwsvpcConfiguration: network }),
      },
    ],
  ]);
}

/** https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html. The log's group is there already. */
async function writeFlowLog(statements: readonly Statement[]): Promise<string | undefined> {
  iam.act(flowLogs.principal, statements);
  const stream = { logGroupName: "/vpc/git-diff", logStreamName: `eni-${Date.now()}-all` };
  return firstError([
    ["logs", "DescribeLogGroups", {}],
    ["logs", "CreateLogStream", stream],
    ["logs", "DescribeLogStreams", { logGroupName: stream.logGroupName }],
    ["logs", "PutLogEvents", { ...stream, logEvents: [{ timestamp: Date.now(), message: "flow" }] }],
  ]);
}

type Call = readonly [service: keyof typeof targets, operation: string, input: object];

const targets = {
  ecr: "AmazonEC2ContainerRegistry_V20150921",
  ecs: "AmazonEC2ContainerServiceV20141113",
  logs: "Logs_20140328",
  secretsmanager: "secretsmanager",
  sqs: "AmazonSQS",
  ssm: "AmazonSSM",
};

/** Sends a call of the JSON protocol, which all of these services speak. The emulator checks no signature. */
async function call(endpoint: string, [service, operation, input]: Call) {
  const scope = `Credential=ASIAEXAMPLE/20260102/${region}/${service}/aws4_request`;
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: {
      Authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`,
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": `${targets[service]}.${operation}`,
    },
    body: JSON.stringify(input),
  });
  const body = await answer.text();
  if (answer.ok) return { body };
  const { __type, message } = JSON.parse(body);
  return { body, error: String(__type).startsWith("AccessDenied") ? String(message) : String(__type) };
}

/** Makes calls until one fails, and returns its error. */
async function firstError(calls: readonly Call[]): Promise<string | undefined> {
  for (const each of calls) {
    const { error } = await call(iam.endpoint, each);
    if (error !== undefined) return error;
  }
}

/** Universal targets take the API's names in another case: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html */
function camelCase(value: unknown): object {
  if (Array.isArray(value)) return value.map((one) => (typeof one === "object" ? camelCase(one) : one));
  const entries = Object.entries(value as object).map(([key, one]) => [
    key.charAt(0).toLowerCase() + key.slice(1),
    typeof one === "object" ? camelCase(one) : one,
  ]);
  return Object.fromEntries(entries);
}

/** Creates what the stack would create, as far as the calls need it. */
async function prepare(): Promise<void> {
  // The emulator does not know the first two. A secret's ARN is random there.
  for (const operation of ["BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "GetSecretValue"])
    aws.fail({ operation, nth: "all", how: { status: 200, body: "{}" } });
  const notFound = { status: 400, code: "ClusterNotFoundException" };
  aws.fail({ operation: "RunTask", nth: "all", how: () => (clusterIsGone ? notFound : undefined) });
  const definitions = Object.values(template.json.resource.aws_ecs_task_definition ?? {});
  const queueName = template.get("aws_sqs_queue.schedules_dead-letters").name;
  const created: Call[] = [
    ["ecr", "CreateRepository", { repositoryName: "git-diff" }],
    ["ecs", "CreateCluster", { clusterName: template.get("aws_ecs_cluster.cluster").name }],
    ...definitions.map(
      (task): Call => [
        "ecs",
        "RegisterTaskDefinition",
        {
          family: task.family,
          cpu: task.cpu,
          memory: task.memory,
          networkMode: task.network_mode,
          requiresCompatibilities: task.requires_compatibilities,
          // The emulator asks for memory of the container.
          containerDefinitions: [{ name: template.container().name, image: IMAGE, memory: 512 }],
        },
      ],
    ),
    ["sqs", "CreateQueue", { QueueName: queueName }],
    ...Object.values(template.json.resource.aws_cloudwatch_log_group ?? {}).map(
      ({ name }): Call => ["logs", "CreateLogGroup", { logGroupName: name }],
    ),
  ];
  for (const each of created) expect((await call(aws.motoEndpoint, each)).error).toBeUndefined();
  const keys = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "not-a-secret" };
  const ec2 = new EC2Client({ endpoint: aws.motoEndpoint, region, credentials: keys });
  const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({}));
  network = {
    Subnets: Subnets.slice(0, 2).map(({ SubnetId = "" }) => SubnetId),
    SecurityGroups: SecurityGroups.slice(0, 1).map(({ GroupId = "" }) => GroupId),
  };
}
