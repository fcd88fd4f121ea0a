import { SchedulerScheduleGroup } from "@cdktf/provider-aws/lib/scheduler-schedule-group";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { SqsQueuePolicy } from "@cdktf/provider-aws/lib/sqs-queue-policy";
import { Construct } from "constructs";
import { policyDocument } from "./iam.ts";

export interface ScheduleGroupProps {
  /** The group's name: the stack's. */
  readonly name: string;
}

/** The stack's schedule group, and the dead-letter queue for runs that could not be started. */
export class ScheduleGroup extends Construct {
  readonly name: string;
  readonly arn: string;
  readonly deadLetters: { readonly name: string; readonly arn: string };
  private readonly queueUrl: string;

  constructor(scope: Construct, id: string, props: ScheduleGroupProps) {
    super(scope, id);
    const group = new SchedulerScheduleGroup(this, "Default", { name: props.name });
    this.name = group.name;
    this.arn = group.arn;
    const { name, arn, url } = new SqsQueue(this, "dead-letters", {
      name: `${props.name}-not-started`,
      messageRetentionSeconds: 14 * 24 * 3600,
      sqsManagedSseEnabled: true,
    });
    this.deadLetters = { name, arn };
    this.queueUrl = url;
  }

  /** Lets rules of EventBridge put the events into the queue that started nothing: they have no role for that. */
  acceptFrom(ruleArns: readonly string[]): void {
    if (ruleArns.length === 0) return;
    new SqsQueuePolicy(this, "dead-letters-policy", {
      queueUrl: this.queueUrl,
      policy: policyDocument([
        {
          Sid: "EventsThatStartedNothing",
          Effect: "Allow",
          Principal: { Service: "events.amazonaws.com" },
          Action: ["sqs:SendMessage"],
          Resource: [this.deadLetters.arn],
          Condition: { ArnEquals: { "aws:SourceArn": ruleArns } },
        },
      ]),
    });
  }
}
