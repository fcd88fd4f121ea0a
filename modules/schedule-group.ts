import { SchedulerScheduleGroup } from "@cdktf/provider-aws/lib/scheduler-schedule-group";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { Construct } from "constructs";

export interface ScheduleGroupProps {
  /** The group's name: the stack's. */
  readonly name: string;
}

/** The stack's schedule group, and the dead-letter queue for runs that could not be started. */
export class ScheduleGroup extends Construct {
  readonly name: string;
  readonly arn: string;
  readonly deadLetters: { readonly name: string; readonly arn: string };

  constructor(scope: Construct, id: string, props: ScheduleGroupProps) {
    super(scope, id);
    const group = new SchedulerScheduleGroup(this, "Default", { name: props.name });
    this.name = group.name;
    this.arn = group.arn;
    const { name, arn } = new SqsQueue(this, "dead-letters", {
      name: `${props.name}-not-started`,
      messageRetentionSeconds: 14 * 24 * 3600,
      sqsManagedSseEnabled: true,
    });
    this.deadLetters = { name, arn };
  }
}
