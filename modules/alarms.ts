import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import { SnsTopicPolicy } from "@cdktf/provider-aws/lib/sns-topic-policy";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import type { Cluster } from "./cluster.ts";
import { CONTAINER } from "./container.ts";
import { policyDocument, type Statement } from "./iam.ts";

export interface AlarmsProps {
  readonly account: Account;
  /** Prefix of all names. */
  readonly name: string;
  readonly cluster: Cluster;
  /** Name of the dead-letter queue for runs that could not be started. */
  readonly deadLetterQueue: string;
  /** Whether a run is due every day, so that a day without a run is a fault. */
  readonly daily: boolean;
}

/** A topic that notifies its subscribers of failed runs, of runs that could not be started, and of a day without a run. */
export class Alarms extends Construct {
  readonly topicArn: string;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { account, name, cluster, deadLetterQueue } = props;
    // Not encrypted: EventBridge cannot use AWS's own KMS key here, and notifications contain no secrets.
    const topic = new SnsTopic(this, "Default", { name: `${name}-alarms` });
    this.topicArn = topic.arn;

    const failed = new CloudwatchEventRule(this, "failed", {
      name: `${name}-failed`,
      description: "git-diff-to-s3: a run failed, or its container did not start",
      eventPattern: JSON.stringify(failedRunPattern(cluster.arn)),
    });
    new CloudwatchEventTarget(this, "notify", {
      rule: failed.name,
      arn: topic.arn,
      inputTransformer: {
        inputPaths: {
          family: "$.detail.group",
          reason: "$.detail.stoppedReason",
          stop: "$.detail.stopCode",
          task: "$.detail.taskArn",
          time: "$.time",
        },
        inputTemplate: [
          "A run of <family> failed at <time>: <reason> (<stop>, <task>).",
          `If its container started, the log shows what failed and why: aws logs tail ${cluster.logGroup.name} --region ${account.region} --since 1d`,
          "All stored results are complete. The next run continues from the cursors.",
        ]
          .map((line) => JSON.stringify(line))
          .join("\n"),
      },
    });

    const [notStarted, silent] = [`${name}-not-started`, `${name}-silent`];
    const alarmArns = [notStarted, silent].map((alarm) => account.arn("cloudwatch", `alarm:${alarm}`));
    new SnsTopicPolicy(this, "policy", {
      arn: topic.arn,
      policy: policyDocument(publishStatements(topic.arn, alarmArns, account.id)),
    });
    const actions = { alarmActions: [topic.arn], okActions: [topic.arn] };
    new CloudwatchMetricAlarm(this, "not-started", {
      ...actions,
      alarmName: notStarted,
      alarmDescription: `EventBridge Scheduler could not start a run. The message in the queue ${deadLetterQueue} contains the request and the error. Delete the message when the cause is fixed: the alarm stays on until the queue is empty. The next run collects what this one missed.`,
      namespace: "AWS/SQS",
      metricName: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: deadLetterQueue },
      statistic: "Maximum",
      period: 300,
      evaluationPeriods: 1,
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      treatMissingData: "notBreaching",
    });
    // If ECS has no capacity, RunTask succeeds and lists `failures`, which Scheduler does not report:
    // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    if (!props.daily) return;
    new CloudwatchMetricAlarm(this, "silent", {
      ...actions,
      alarmName: silent,
      alarmDescription:
        "No run has logged anything for more than a day, although one is due every day. Check whether the schedules are enabled and whether ECS had capacity for the task. The next run collects what was missed.",
      namespace: "AWS/Logs",
      metricName: "IncomingLogEvents",
      dimensions: { LogGroupName: cluster.logGroup.name },
      statistic: "Sum",
      period: 3_600,
      // A day, plus two hours because a run may start later than the day before.
      evaluationPeriods: 26,
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      treatMissingData: "breaching",
    });
  }
}

/**
 * Matches ECS events of failed runs. A container that never started has no exit code, which `anything-but` does not match:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
 */
function failedRunPattern(clusterArn: string): object {
  return {
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: {
      clusterArn: [clusterArn],
      lastStatus: ["STOPPED"],
      $or: [
        // By name, since GuardDuty may add a container of its own.
        { containers: { name: [CONTAINER], exitCode: [{ "anything-but": [0] }] } },
        { stopCode: [{ "anything-but": ["EssentialContainerExited"] }] },
      ],
    },
  };
}

function publishStatements(topicArn: string, alarmArns: readonly string[], accountId: string): Statement[] {
  const publish = { Effect: "Allow", Action: ["sns:Publish"], Resource: [topicArn] } as const;
  return [
    {
      ...publish,
      Sid: "FailedRuns",
      // EventBridge does not support conditions in a topic's policy:
      // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
      Principal: { Service: "events.amazonaws.com" },
    },
    {
      ...publish,
      Sid: "Alarms",
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: {
        ArnEquals: { "aws:SourceArn": alarmArns },
        StringEquals: { "aws:SourceAccount": accountId },
      },
    },
  ];
}
