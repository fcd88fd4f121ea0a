import { CloudwatchLogMetricFilter } from "@cdktf/provider-aws/lib/cloudwatch-log-metric-filter";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Construct } from "constructs";
import type { Task } from "./task.ts";

/** Matches what a mirror reports of refs that lose something, as docs/output.md lists it. */
export const refPattern = '{ ($.event = "ref-rewritten") || ($.event = "ref-deleted") }';

export const refAlarmName = ({ family }: Task): string => `${family}-refs`;

export interface RefAlarmProps {
  readonly region: string;
  readonly task: Task;
  readonly topicArn: string;
}

/** Notifies of refs that were rewritten or deleted in a collection with mirrors. */
export class RefAlarm extends Construct {
  constructor(scope: Construct, id: string, { region, task, topicArn }: RefAlarmProps) {
    super(scope, id);
    const alarmName = refAlarmName(task);
    const metric = { name: alarmName, namespace: "git-diff-to-s3" };
    new CloudwatchLogMetricFilter(this, "filter", {
      name: alarmName,
      logGroupName: task.logGroup,
      pattern: refPattern,
      metricTransformation: { ...metric, value: "1" },
    });
    new CloudwatchMetricAlarm(this, "Default", {
      alarmActions: [topicArn],
      alarmName,
      alarmDescription: `A branch or tag was rewritten or deleted on its host. Nothing is lost: restore --step, with the number before the step of its line, has it as it was. Which, and where they were: aws logs tail --region ${region} --since 1d --filter-pattern '${refPattern}' ${task.logGroup}`,
      namespace: metric.namespace,
      metricName: metric.name,
      statistic: "Sum",
      period: 300,
      // Logs may come late, and so their metric.
      evaluationPeriods: 3,
      datapointsToAlarm: 1,
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      treatMissingData: "notBreaching",
    });
  }
}
