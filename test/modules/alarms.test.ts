import { describe, expect, test } from "bun:test";
import { refPattern } from "../../modules/ref-alarm.ts";
import { makeMirroredRepository } from "../fixtures/mirrored-repository.ts";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";
import { runWorker } from "../fixtures/worker.ts";

const template = new Template(SMALLEST);
const topic = ref("aws_sns_topic.alarms.arn");

test("a run that fails or never starts is reported, with the command that shows its log", () => {
  const rule = template.get("aws_cloudwatch_event_rule.alarms_failed");
  expect(JSON.parse(String(rule.event_pattern))).toEqual({
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: {
      clusterArn: [ref("aws_ecs_cluster.cluster.arn")],
      group: [{ prefix: "family:git-diff-" }],
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
  expect(lines.join(" ")).toContain("aws logs tail --region eu-west-1 --since 1d /ecs/git-diff/COLLECTION");
  expect(template.get("aws_cloudwatch_log_group.task-all_log").name).toBe("/ecs/git-diff/all");
});

test("each run that Scheduler could not start is reported, also while an earlier one lies in the queue", () => {
  const alarm = template.get("aws_cloudwatch_metric_alarm.alarms_not-started");
  expect(alarm).toMatchObject({
    namespace: "AWS/SQS",
    metric_name: "NumberOfMessagesSent",
    dimensions: { QueueName: ref("aws_sqs_queue.schedules_dead-letters.name") },
    statistic: "Sum",
    // A metric that comes late, behind zeros, counts nevertheless.
    evaluation_periods: 6,
    datapoints_to_alarm: 1,
    comparison_operator: "GreaterThanThreshold",
    threshold: 0,
    treat_missing_data: "notBreaching",
    alarm_actions: [topic],
  });
  // That nothing more arrived is no news.
  expect(alarm).not.toHaveProperty("ok_actions");
});

describe("a missing run is reported", () => {
  /** The hours that each collection may be silent. */
  const silence = (...collections: object[]) => {
    const named = collections.map((one, index) => ({
      name: `c${index}`,
      repositories: [{ name: `r${index}` }],
      ...one,
    }));
    const { json } = new Template({ ...SMALLEST, repositories: undefined, collections: named });
    const alarms = Object.values(json.resource.aws_cloudwatch_metric_alarm ?? {});
    return Object.fromEntries(
      alarms.flatMap(({ alarm_name, evaluation_periods }) => {
        const [, name] = /^git-diff-(.*)-silent$/.exec(String(alarm_name)) ?? [];
        return name ? [[name, evaluation_periods]] : [];
      }),
    );
  };

  test("by the log of its collection", () => {
    expect(template.get("aws_cloudwatch_metric_alarm.alarms_silent-all")).toMatchObject({
      namespace: "AWS/Logs",
      metric_name: "IncomingLogEvents",
      dimensions: { LogGroupName: ref("aws_cloudwatch_log_group.task-all_log.name") },
      statistic: "Sum",
      period: 3600,
      evaluation_periods: 26,
      comparison_operator: "LessThanThreshold",
      threshold: 1,
      treat_missing_data: "breaching",
      alarm_actions: [topic],
      ok_actions: [topic],
    });
  });

  test("whatever the schedule of each collection is, up to a week", () => {
    expect(
      silence(
        { schedule: "cron(0 0 ? * MON *)" },
        { schedule: "rate(1 hour)" },
        { schedule: "cron(30 6 ? * MON-FRI *)" },
        { schedule: "rate(2 days)", flexibleWindowMinutes: 90 },
      ),
    ).toEqual({ c0: 168, c1: 3, c2: 3 * 24 + 2, c3: 52 });
  });

  test("but not where a week may pass without a fault", () => {
    expect(
      silence(
        { schedule: "cron(0 6 ? * MON *)", timezone: "Europe/Berlin" },
        { schedule: "rate(7 days)", flexibleWindowMinutes: 60 },
      ),
    ).toEqual({});
  });

  test("but not while the collection is paused, nor if a run is due more rarely", () => {
    expect(silence({ paused: true }, { schedule: "cron(0 0 1 * ? *)" }, {})).toEqual({ c2: 26 });
  });
});

test("the addresses that are configured are subscribed", () => {
  const subscribed = new Template({ ...SMALLEST, alarms: ["data@acme.com", "ops@acme.com"] });
  expect(Object.values(subscribed.json.resource.aws_sns_topic_subscription ?? {})).toMatchObject([
    { topic_arn: topic, protocol: "email", endpoint: "data@acme.com" },
    { topic_arn: topic, protocol: "email", endpoint: "ops@acme.com" },
  ]);
});

test("a topic that exists already is used as it is", () => {
  const arn = "arn:aws:sns:eu-west-1:123456789012:ops";
  const existing = new Template({ ...SMALLEST, alarms: arn });
  expect(existing.addresses.filter((address) => address.includes("sns"))).toEqual([]);
  expect(existing.get("aws_cloudwatch_event_target.alarms_notify").arn).toBe(arn);
  for (const alarm of Object.values(existing.json.resource.aws_cloudwatch_metric_alarm ?? {})) {
    expect(alarm.alarm_actions).toEqual([arn]);
  }
});

test("a topic of the stack is encrypted with its key", () => {
  const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/1234";
  expect(new Template({ ...SMALLEST, kmsKey }).get("aws_sns_topic.alarms").kms_master_key_id).toBe(kmsKey);
});

test("only EventBridge and these alarms may publish", () => {
  const partition = ref("data.aws_partition.account_partition.partition");
  const account = ref("data.aws_caller_identity.account.account_id");
  const alarms = Object.values(template.json.resource.aws_cloudwatch_metric_alarm ?? {});
  const names = alarms.map(({ alarm_name }) => String(alarm_name)).sort();
  expect(names).toEqual(["git-diff-all-silent", "git-diff-not-started"]);
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
          "aws:SourceArn": names
            .toReversed()
            .map((name) => `arn:${partition}:cloudwatch:eu-west-1:${account}:alarm:${name}`),
        },
        StringEquals: { "aws:SourceAccount": account },
      },
    },
  ]);
});

describe("a ref that was rewritten or deleted", () => {
  const mirror = { name: "api", url: "https://github.com/acme/api.git", collect: ["mirror"] };
  const mirrored = new Template({ ...SMALLEST, repositories: [mirror] });

  test("is reported where there are mirrors, with the command that shows it", () => {
    const filter = mirrored.get("aws_cloudwatch_log_metric_filter.alarms_refs-all_filter");
    const alarm = mirrored.get("aws_cloudwatch_metric_alarm.alarms_refs-all");
    const metric = { name: "git-diff-all-refs", namespace: "git-diff-to-s3" };
    expect(filter).toMatchObject({
      log_group_name: ref("aws_cloudwatch_log_group.task-all_log.name"),
      metric_transformation: { ...metric, value: "1" },
    });
    expect(alarm).toMatchObject({
      metric_name: metric.name,
      namespace: metric.namespace,
      statistic: "Sum",
      comparison_operator: "GreaterThanThreshold",
      threshold: 0,
      alarm_actions: [topic],
    });
    expect(String(alarm.alarm_description)).toContain(
      `aws logs tail --region eu-west-1 --since 1d --filter-pattern '${filter.pattern}' ${ref("aws_cloudwatch_log_group.task-all_log.name")}`,
    );
    const [publish] = mirrored
      .statements("aws_sns_topic_policy.alarms_policy")
      .filter(({ Sid }) => Sid === "Alarms");
    expect(JSON.stringify(publish?.Condition)).toContain(":alarm:git-diff-all-refs");
  });

  test("is what the worker logs", async () => {
    await using repository = await makeMirroredRepository();
    const run = () =>
      runWorker({}, { args: ["local", "mirror", repository.repository.path], cwd: repository.root });
    await repository.repository.commit();
    await repository.repository.git("branch", "gone");
    await run();
    await repository.repository.git("branch", "-D", "gone");
    await repository.repository.git("commit", "--amend", "--allow-empty", "--quiet", "-m", "other");
    const named = [...refPattern.matchAll(/\$\.event = "([a-z-]+)"/g)].map(([, name = ""]) => name);
    const logged = (await run()).events.map(({ event }) => event);
    expect(logged.filter((event) => named.includes(event)).sort()).toEqual(named.sort());
  });

  test("is nothing without mirrors", () => {
    expect(template.addresses.filter((address) => address.includes("refs"))).toEqual([]);
  });
});
