import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import { SnsTopicPolicy } from "@cdktf/provider-aws/lib/sns-topic-policy";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import type { Cluster } from "./cluster.ts";
import type { Collection } from "./collection.ts";
import { CONTAINER } from "./container.ts";
import { drillSuffix } from "./drill.ts";
import { policyDocument, type Statement } from "./iam.ts";
import { RefAlarm, refAlarmName } from "./ref-alarm.ts";
import { hasMirror } from "./repository.ts";
import { longestGapHours } from "./schedule-gap.ts";
import type { Task } from "./task.ts";

export interface AlarmsProps {
  readonly account: Account;
  /** Prefix of all names. */
  readonly name: string;
  readonly cluster: Cluster;
  /** Name of the dead-letter queue for runs that could not be started. */
  readonly deadLetterQueue: string;
  readonly tasks: readonly { readonly collection: Collection; readonly task: Task }[];
  /** E-mail addresses to subscribe, or the ARN of a topic that exists already. @default - a topic without subscribers */
  readonly notify?: readonly string[] | string;
  /** ARN of the KMS key that encrypts the topic. @default - not encrypted: EventBridge cannot use AWS's own key */
  readonly kmsKey?: string;
}

/** Notifies the subscribers of a topic of runs that failed, could not be started, or are missing, and of refs that lost something. */
export class Alarms extends Construct {
  readonly topicArn: string;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { account, name, cluster, deadLetterQueue, tasks } = props;
    const watched = tasks.flatMap(({ collection, task }) => {
      const hours = silentHours(collection);
      return hours === undefined ? [] : [{ collection, task, hours, alarm: `${task.family}-silent` }];
    });
    const notStarted = `${name}-not-started`;
    const mirrored = tasks.filter(
      ({ collection }) => collection.command === undefined && collection.repositories.some(hasMirror),
    );
    const alarmNames = [
      notStarted,
      ...watched.map(({ alarm }) => alarm),
      ...mirrored.map(({ task }) => refAlarmName(task)),
    ];
    this.topicArn =
      typeof props.notify === "string" ? props.notify : this.topic(props, alarmNames, props.notify ?? []);

    const failed = new CloudwatchEventRule(this, "failed", {
      name: `${name}-failed`,
      description: "git-diff-to-s3: a run failed, or its container did not start",
      eventPattern: JSON.stringify(failedRunPattern(cluster.arn, name)),
    });
    new CloudwatchEventTarget(this, "notify", {
      rule: failed.name,
      arn: this.topicArn,
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
          `If its container started, the log shows what failed and why. With the collection's name at the end: aws logs tail --region ${account.region} --since 1d /ecs/${name}/COLLECTION`,
          "All stored results are complete. The next run continues from the cursors.",
          ...(tasks.some(({ collection }) => collection.command)
            ? [
                `Not so if the name ends with ${drillSuffix}: then a mirror is damaged, or its locks could not be extended. Run it again once that is repaired.`,
              ]
            : []),
        ]
          .map((line) => JSON.stringify(line))
          .join("\n"),
      },
    });
    new CloudwatchMetricAlarm(this, "not-started", {
      alarmActions: [this.topicArn],
      alarmName: notStarted,
      alarmDescription: `EventBridge could not start a run. The newest message in the queue ${deadLetterQueue} contains the request, or the push, and the error. The next run collects what this one missed.`,
      namespace: "AWS/SQS",
      // Counts the messages that arrive, not those that are in the queue: so a second one raises the alarm although the first
      // was not deleted.
      metricName: "NumberOfMessagesSent",
      dimensions: { QueueName: deadLetterQueue },
      statistic: "Sum",
      period: 300,
      // The metrics of a queue that was idle come up to 15 minutes late, perhaps behind later zeros.
      evaluationPeriods: 6,
      datapointsToAlarm: 1,
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      treatMissingData: "notBreaching",
    });
    // If ECS has no capacity, RunTask succeeds and lists `failures`, which Scheduler does not report:
    // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    for (const { collection, task, hours, alarm } of watched) {
      new CloudwatchMetricAlarm(this, `silent-${collection.name}`, {
        alarmActions: [this.topicArn],
        okActions: [this.topicArn],
        alarmName: alarm,
        alarmDescription: `No run of ${task.family} has logged anything for ${hours} hours, although its schedule is ${collection.schedule}. Check whether the schedule is enabled and whether ECS had capacity for the task. The next run collects what was missed.`,
        namespace: "AWS/Logs",
        metricName: "IncomingLogEvents",
        dimensions: { LogGroupName: task.logGroup },
        statistic: "Sum",
        period: 3_600,
        evaluationPeriods: hours,
        comparisonOperator: "LessThanThreshold",
        threshold: 1,
        treatMissingData: "breaching",
      });
    }
    for (const { collection, task } of mirrored) {
      const { region } = account;
      new RefAlarm(this, `refs-${collection.name}`, { region, task, topicArn: this.topicArn });
    }
  }

  /** Creates a topic that these alarms and EventBridge may publish to. Returns its ARN. */
  private topic(props: AlarmsProps, alarmNames: readonly string[], addresses: readonly string[]): string {
    const { account } = props;
    const { arn } = new SnsTopic(this, "Default", {
      name: `${props.name}-alarms`,
      kmsMasterKeyId: props.kmsKey,
    });
    const alarmArns = alarmNames.map((alarm) => account.arn("cloudwatch", `alarm:${alarm}`));
    new SnsTopicPolicy(this, "policy", {
      arn,
      policy: policyDocument(publishStatements(arn, alarmArns, account.id)),
    });
    for (const endpoint of addresses) {
      new SnsTopicSubscription(this, `to-${endpoint}`, { topicArn: arn, protocol: "email", endpoint });
    }
    return arn;
  }
}

const WEEK = 7 * 24;

/**
 * Returns after how many hours without a run one is missing: the longest time between two, and two hours because a run
 * may start later than the one before. An alarm looks back for a week at most. Undefined if a run is due more rarely.
 */
function silentHours(collection: Collection): number | undefined {
  const { schedule, timezone, paused, flexibleWindowMinutes = 0 } = collection;
  const gap = longestGapHours(schedule);
  if (paused || gap === undefined) return undefined;
  const hours = gap + Math.ceil(flexibleWindowMinutes / 60) + 2;
  if (hours <= WEEK) return hours;
  // A weekly run is in the same hour each time, unless a window or the end of summer time delays it.
  return gap === WEEK && flexibleWindowMinutes === 0 && timezone === "UTC" ? WEEK : undefined;
}

/**
 * Matches ECS events of failed runs. A container that never started has no exit code, which `anything-but` does not match:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
 */
function failedRunPattern(clusterArn: string, name: string): object {
  return {
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: {
      clusterArn: [clusterArn],
      // The cluster may have other tasks too. A list of all families could be longer than a pattern may be.
      group: [{ prefix: `family:${name}-` }],
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
