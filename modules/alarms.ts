import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import { SnsTopicPolicy } from "@cdktf/provider-aws/lib/sns-topic-policy";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import type { Cluster } from "./cluster.ts";
import { CONTAINER } from "./container.ts";
import { document, type Statement } from "./iam.ts";

export interface AlarmsProps {
  readonly account: Account;
  /** Begins the names of all that is here. */
  readonly name: string;
  readonly cluster: Cluster;
  /** Name of the queue for runs that could not be started. */
  readonly deadLetters: string;
  /** Whether a run is due every day, so that a day without any is a fault. */
  readonly daily: boolean;
}

/** A topic that tells whoever subscribes to it of a run that failed or could not be started, and of a day without any. */
export class Alarms extends Construct {
  readonly topicArn: string;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { account, name, cluster, deadLetters } = props;
    // Not encrypted: of KMS keys, EventBridge can use only one of your own here, and nothing secret is told.
    const topic = new SnsTopic(this, "Default", { name: `${name}-alarms` });
    this.topicArn = topic.arn;

    const failed = new CloudwatchEventRule(this, "failed", {
      name: `${name}-failed`,
      description: "git-diff-to-s3: a run that ended badly, or whose container never started",
      eventPattern: JSON.stringify(failedRun(cluster.arn)),
    });
    new CloudwatchEventTarget(this, "tell", {
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
          `If it came so far, its log tells what failed and why: aws logs tail ${cluster.logGroup.name} --region ${account.region} --since 1d`,
          "Whatever is stored is whole, and the next run goes on from where the cursors are.",
        ]
          .map((line) => JSON.stringify(line))
          .join("\n"),
      },
    });

    const [notStarted, silent] = [`${name}-not-started`, `${name}-silent`];
    const alarmArns = [notStarted, silent].map((one) => account.arn("cloudwatch", `alarm:${one}`));
    new SnsTopicPolicy(this, "policy", {
      arn: topic.arn,
      policy: document(mayTell(topic.arn, alarmArns, account.id)),
    });
    const actions = { alarmActions: [topic.arn], okActions: [topic.arn] };
    new CloudwatchMetricAlarm(this, "not-started", {
      ...actions,
      alarmName: notStarted,
      alarmDescription: `EventBridge Scheduler could not start a run: the message in the queue ${deadLetters} says which, and why. Delete it when that is mended: until the queue is empty, no other is told. The next run makes up for it.`,
      namespace: "AWS/SQS",
      metricName: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: deadLetters },
      statistic: "Maximum",
      period: 300,
      evaluationPeriods: 1,
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      treatMissingData: "notBreaching",
    });
    // To Scheduler, a start that ECS has no room for is an answer like any other, and it tells nobody:
    // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html, `failures`.
    if (!props.daily) return;
    new CloudwatchMetricAlarm(this, "silent", {
      ...actions,
      alarmName: silent,
      alarmDescription:
        "No run has logged anything for more than a day, though one is due every day: look whether the schedules are enabled, and whether ECS had room for the task. The next run makes up for it.",
      namespace: "AWS/Logs",
      metricName: "IncomingLogEvents",
      dimensions: { LogGroupName: cluster.logGroup.name },
      statistic: "Sum",
      period: 3_600,
      // A day, and how much later than the day before a run may log its first line.
      evaluationPeriods: 26,
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      treatMissingData: "breaching",
    });
  }
}

/**
 * What ECS tells of such a run. One that never started has no exit status, which is not the same as one other than 0:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
 */
function failedRun(clusterArn: string): object {
  return {
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: {
      clusterArn: [clusterArn],
      lastStatus: ["STOPPED"],
      $or: [
        // By its name, as GuardDuty may put a container of its own beside it.
        { containers: { name: [CONTAINER], exitCode: [{ "anything-but": [0] }] } },
        { stopCode: [{ "anything-but": ["EssentialContainerExited"] }] },
      ],
    },
  };
}

function mayTell(topicArn: string, alarmArns: readonly string[], accountId: string): Statement[] {
  const tell = { Effect: "Allow", Action: ["sns:Publish"], Resource: [topicArn] } as const;
  return [
    {
      ...tell,
      Sid: "FailedRuns",
      // Without a condition, which a topic's policy cannot have for EventBridge:
      // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
      Principal: { Service: "events.amazonaws.com" },
    },
    {
      ...tell,
      Sid: "Alarms",
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: {
        ArnEquals: { "aws:SourceArn": alarmArns },
        StringEquals: { "aws:SourceAccount": accountId },
      },
    },
  ];
}
