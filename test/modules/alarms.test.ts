import { expect, test } from "bun:test";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

const template = new Template(SMALLEST);
const topic = ref("aws_sns_topic.alarms.arn");

test("a run that fails or never starts is reported, with the command that shows its log", () => {
  const rule = template.get("aws_cloudwatch_event_rule.alarms_failed");
  expect(JSON.parse(String(rule.event_pattern))).toEqual({
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: {
      clusterArn: [ref("aws_ecs_cluster.cluster.arn")],
      lastStatus: ["STOPPED"],
      $or: [
        { containers: { name: ["worker"], exitCode: [{ "anything-but": [0] }] } },
        { stopCode: [{ "anything-but": ["EssentialContainerExited"] }] },
      ],
    },
  });
  const target = template.get("aws_cloudwatch_event_target.alarms_notify") as {
    input_transformer: { input_paths: Record<string, string>; input_template: string };
  };
  expect(target).toMatchObject({ rule: ref("aws_cloudwatch_event_rule.alarms_failed.name"), arn: topic });
  const { input_paths, input_template } = target.input_transformer;
  // EventBridge accepts lines that are JSON strings, and refuses a placeholder without a path.
  const lines = input_template.split("\n").map((line) => JSON.parse(line) as string);
  const placeholders = [...lines.join(" ").matchAll(/<(\w+)>/g)].map(([, placeholder]) => placeholder);
  expect(placeholders.sort()).toEqual(Object.keys(input_paths).sort());
  expect(lines.join(" ")).toContain(
    `aws logs tail ${ref("aws_cloudwatch_log_group.cluster_logs.name")} --region eu-west-1`,
  );
});

test("a run that Scheduler could not start is reported", () => {
  expect(template.get("aws_cloudwatch_metric_alarm.alarms_not-started")).toMatchObject({
    namespace: "AWS/SQS",
    metric_name: "ApproximateNumberOfMessagesVisible",
    dimensions: { QueueName: ref("aws_sqs_queue.schedules_dead-letters.name") },
    comparison_operator: "GreaterThanThreshold",
    threshold: 0,
    treat_missing_data: "notBreaching",
    alarm_actions: [topic],
  });
});

test("a day without a run is reported if a run is due every day", () => {
  expect(template.get("aws_cloudwatch_metric_alarm.alarms_silent")).toMatchObject({
    namespace: "AWS/Logs",
    metric_name: "IncomingLogEvents",
    dimensions: { LogGroupName: ref("aws_cloudwatch_log_group.cluster_logs.name") },
    statistic: "Sum",
    period: 3600,
    evaluation_periods: 26,
    comparison_operator: "LessThanThreshold",
    threshold: 1,
    treat_missing_data: "breaching",
    alarm_actions: [topic],
  });
  const [weekly, both] = [[], [{ name: "daily", repositories: SMALLEST.repositories }]].map(
    (others) =>
      new Template({
        ...SMALLEST,
        repositories: undefined,
        collections: [
          { name: "weekly", schedule: "cron(0 0 ? * MON *)", repositories: [{ name: "x" }] },
          ...others,
        ],
      }),
  ) as [Template, Template];
  expect(both.addresses).toContain("aws_cloudwatch_metric_alarm.alarms_silent");
  expect(weekly.addresses).toContain("aws_cloudwatch_metric_alarm.alarms_not-started");
  expect(weekly.addresses).not.toContain("aws_cloudwatch_metric_alarm.alarms_silent");
});

test("only EventBridge and these alarms may publish", () => {
  const partition = ref("data.aws_partition.account_partition.partition");
  const account = ref("data.aws_caller_identity.account.account_id");
  const alarms = Object.values(template.json.resource.aws_cloudwatch_metric_alarm ?? {});
  const names = alarms.map(({ alarm_name }) => String(alarm_name)).sort();
  expect(names).toEqual(["git-diff-not-started", "git-diff-silent"]);
  const publish = { Effect: "Allow", Action: ["sns:Publish"], Resource: [topic] };
  expect(template.statements("aws_sns_topic_policy.alarms_policy") as unknown[]).toEqual([
    // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html (no condition)
    { ...publish, Sid: "FailedRuns", Principal: { Service: "events.amazonaws.com" } },
    {
      ...publish,
      Sid: "Alarms",
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: {
        ArnEquals: {
          "aws:SourceArn": names.map(
            (name) => `arn:${partition}:cloudwatch:eu-west-1:${account}:alarm:${name}`,
          ),
        },
        StringEquals: { "aws:SourceAccount": account },
      },
    },
  ]);
});
