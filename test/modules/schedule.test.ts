import { expect, test } from "bun:test";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

const template = new Template({
  ...SMALLEST,
  repositories: undefined,
  collections: [
    { name: "nightly", repositories: SMALLEST.repositories },
    {
      name: "hourly",
      schedule: "rate(1 hour)",
      timezone: "Europe/Berlin",
      repositories: [{ name: "legacy" }],
    },
  ],
});
const partition = ref("data.aws_partition.account_partition.partition");
const account = ref("data.aws_caller_identity.account.account_id");

test("each collection has a schedule in the stack's group, with limited retries and a dead-letter queue", () => {
  const hourly = template.get("aws_scheduler_schedule.schedule-hourly");
  expect(hourly).toMatchObject({
    name: "git-diff-hourly",
    group_name: ref("aws_scheduler_schedule_group.schedules.name"),
    schedule_expression: "rate(1 hour)",
    schedule_expression_timezone: "Europe/Berlin",
    flexible_time_window: { mode: "OFF" },
    target: {
      arn: `arn:${partition}:scheduler:::aws-sdk:ecs:runTask`,
      role_arn: ref("aws_iam_role.schedule-hourly_role.arn"),
      retry_policy: { maximum_event_age_in_seconds: 3600, maximum_retry_attempts: 20 },
      dead_letter_config: { arn: ref("aws_sqs_queue.schedules_dead-letters.arn") },
    },
  });
  expect(template.get("aws_scheduler_schedule.schedule-nightly")).toMatchObject({
    schedule_expression: "cron(0 0 * * ? *)",
    schedule_expression_timezone: "UTC",
  });
});

test("the schedule starts one task for each time that it is due, and passes that time to the worker", () => {
  const { target } = template.get("aws_scheduler_schedule.schedule-hourly") as { target: { input: string } };
  expect(JSON.parse(target.input)).toEqual({
    Cluster: ref("aws_ecs_cluster.cluster.arn"),
    TaskDefinition: "git-diff-hourly",
    LaunchType: "FARGATE",
    NetworkConfiguration: {
      AwsvpcConfiguration: {
        Subnets: [ref("aws_subnet.vpc_public-a.id"), ref("aws_subnet.vpc_public-b.id")],
        SecurityGroups: [ref("aws_security_group.vpc_task.id")],
        AssignPublicIp: "ENABLED",
      },
    },
    Overrides: {
      ContainerOverrides: [
        {
          Name: "worker",
          Environment: [{ Name: "SCHEDULED_TIME", Value: "<aws.scheduler.scheduled-time>" }],
        },
      ],
    },
    ClientToken: expect.stringMatching(/^hourly-[0-9a-f]{8}-<aws\.scheduler\.scheduled-time>$/),
    StartedBy: "git-diff-hourly",
    PropagateTags: "TASK_DEFINITION",
  });
  // Scheduler may not recognise the keyword in the escaped form that Terraform's jsonencode writes.
  expect(target.input).toContain("<aws.scheduler.scheduled-time>");
});

test("the client token of the longest names is short enough for ECS", () => {
  const name = "c".repeat(20);
  const longest = new Template({
    ...SMALLEST,
    repositories: undefined,
    collections: [{ name, repositories: [{ name: "x" }] }],
  });
  const { target } = longest.get(`aws_scheduler_schedule.schedule-${name}`) as { target: { input: string } };
  const { ClientToken } = JSON.parse(
    target.input.replaceAll("<aws.scheduler.scheduled-time>", "2026-01-02T00:00:00Z"),
  );
  expect(ClientToken.length).toBeLessThanOrEqual(64);
});

test("no name is longer than AWS allows", () => {
  const longest = new Template({
    ...SMALLEST,
    name: "n".repeat(32),
    repositories: undefined,
    collections: [{ name: "c".repeat(20), repositories: [{ name: "x" }] }],
  });
  const names = (type: string) =>
    Object.values(longest.json.resource[type] ?? {}).map(({ name }) => String(name));
  const tooLong = [
    ...names("aws_iam_role"),
    ...names("aws_scheduler_schedule"),
    ...names("aws_scheduler_schedule_group"),
  ];
  expect(tooLong).toHaveLength(5);
  expect(tooLong.filter((name) => name.length > 64)).toEqual([]);
  const bucket = String(longest.get("aws_s3_bucket.results").bucket).replace(/\$\{.*\}/, "123456789012");
  expect(bucket.length).toBeLessThanOrEqual(63);
});

test("the schedule's role may start this task in this cluster and pass these two roles to ECS", () => {
  expect(template.statements("aws_iam_policy.schedule-hourly_role_1")).toEqual([
    {
      Sid: "StartTask",
      Effect: "Allow",
      Action: ["ecs:RunTask"],
      Resource: [`arn:${partition}:ecs:eu-west-1:${account}:task-definition/git-diff-hourly:*`],
      Condition: { ArnEquals: { "ecs:cluster": ref("aws_ecs_cluster.cluster.arn") } },
    },
    {
      Sid: "TagTask",
      Effect: "Allow",
      Action: ["ecs:TagResource"],
      Resource: [`arn:${partition}:ecs:eu-west-1:${account}:task/${ref("aws_ecs_cluster.cluster.name")}/*`],
      Condition: { StringEquals: { "ecs:CreateAction": "RunTask" } },
    },
    {
      Sid: "PassRoles",
      Effect: "Allow",
      Action: ["iam:PassRole"],
      Resource: [ref("aws_iam_role.task-hourly_worker.arn"), ref("aws_iam_role.task-hourly_execution.arn")],
      Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
    {
      Sid: "DeadLetters",
      Effect: "Allow",
      Action: ["sqs:SendMessage"],
      Resource: [ref("aws_sqs_queue.schedules_dead-letters.arn")],
    },
  ]);
});

test("a schedule waits for what its runs need", () => {
  const { depends_on } = template.get("aws_scheduler_schedule.schedule-hourly") as { depends_on: string[] };
  expect(depends_on).toEqual([
    "aws_iam_role_policy_attachment.schedule-hourly_role_attach-1",
    "aws_ecs_task_definition.task-hourly",
    "aws_iam_role_policy_attachment.task-hourly_worker_attach-1",
    "aws_iam_role_policy_attachment.task-hourly_execution_attach-1",
    "aws_s3_bucket_policy.results_policy",
    "aws_s3_bucket_versioning.results_versioning",
    "aws_s3_bucket_server_side_encryption_configuration.results_encryption",
  ]);
});

test("a collection that is paused keeps its schedule, disabled; a window spreads its starts", () => {
  const paused = new Template({ ...SMALLEST, paused: true, flexibleWindowMinutes: 30 });
  expect(paused.get("aws_scheduler_schedule.schedule-all")).toMatchObject({
    state: "DISABLED",
    flexible_time_window: { mode: "FLEXIBLE", maximum_window_in_minutes: 30 },
  });
  expect(template.get("aws_scheduler_schedule.schedule-hourly").state).toBe("ENABLED");
});

test("two stacks in one cluster, which share its tokens, have tokens of their own", () => {
  const [dev, prod] = ["dev", "prod"].map((name) => {
    const { target } = new Template({ ...SMALLEST, name, cluster: "shared" }).get(
      "aws_scheduler_schedule.schedule-all",
    ) as { target: { input: string } };
    return JSON.parse(target.input).ClientToken;
  });
  expect(dev).not.toBe(prod);
});

test("a cluster that exists already is used, and no other is made", () => {
  const shared = new Template({ ...SMALLEST, cluster: "shared" });
  const cluster = `arn:${partition}:ecs:eu-west-1:${account}:cluster/shared`;
  expect(shared.addresses.filter((address) => address.startsWith("aws_ecs_cluster"))).toEqual([]);
  const { target } = shared.get("aws_scheduler_schedule.schedule-all") as { target: { input: string } };
  expect(JSON.parse(target.input).Cluster).toBe(cluster);
  const start = shared
    .statements("aws_iam_policy.schedule-all_role_1")
    .find(({ Sid }) => Sid === "StartTask");
  expect(start?.Condition).toEqual({ ArnEquals: { "ecs:cluster": cluster } });
});
