import { createHash } from "node:crypto";
import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule";
import { Construct } from "constructs";
import { variables } from "../image/config/variables.ts";
import type { Collection } from "./collection.ts";
import { CONTAINER } from "./container.ts";
import { type IdentitySettings, Role } from "./iam.ts";
import type { Results } from "./results.ts";
import type { ScheduleGroup } from "./schedule-group.ts";
import { type StartProps, startStatements } from "./start-statements.ts";
import type { Network } from "./vpc.ts";

// EventBridge Scheduler replaces this keyword with the time at which the run was due. It is the same on every retry.
const SCHEDULED_TIME = "<aws.scheduler.scheduled-time>";

export interface ScheduleProps extends StartProps {
  readonly collection: Collection;
  readonly group: ScheduleGroup;
  readonly network: Network;
  readonly results: Results;
  readonly identity: IdentitySettings;
}

/** Starts one collection's task on its schedule. */
export class Schedule extends Construct {
  constructor(scope: Construct, id: string, props: ScheduleProps) {
    super(scope, id);
    const { account, collection, group, identity, results, task } = props;
    const role = new Role(this, "role", {
      name: `${task.family}-schedule`,
      description: `git-diff-to-s3: EventBridge Scheduler starts collection ${collection.name}`,
      identity,
      service: "scheduler.amazonaws.com",
      // When Scheduler assumes the role, the source ARN is the group's, not the schedule's:
      // https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
      trust: { StringEquals: { "aws:SourceAccount": account.id, "aws:SourceArn": group.arn } },
      statements: [
        ...startStatements(props),
        {
          Sid: "DeadLetters",
          Effect: "Allow",
          Action: ["sqs:SendMessage"],
          Resource: [group.deadLetters.arn],
        },
      ],
    });
    new SchedulerSchedule(this, "Default", {
      name: task.family,
      description: `git-diff-to-s3: ${collection.command ? "runs" : "collects"} ${collection.name}`,
      groupName: group.name,
      scheduleExpression: collection.schedule,
      scheduleExpressionTimezone: collection.timezone,
      state: collection.paused ? "DISABLED" : "ENABLED",
      flexibleTimeWindow: collection.flexibleWindowMinutes
        ? { mode: "FLEXIBLE", maximumWindowInMinutes: collection.flexibleWindowMinutes }
        : { mode: "OFF" },
      target: {
        arn: `arn:${account.partition}:scheduler:::aws-sdk:ecs:runTask`,
        roleArn: role.arn,
        input: JSON.stringify(runTask(props)),
        // By default, Scheduler retries for a day, into the next run. After a missed run, the next one collects everything.
        retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 20 },
        deadLetterConfig: { arn: group.deadLetters.arn },
      },
      dependsOn: [...role.permissions, ...task.parts, ...results.rules],
    });
  }
}

/**
 * Returns the RunTask request of a universal target. The templated target for ECS cannot set ClientToken, which is
 * needed because Scheduler delivers at least once: ECS starts one task for each token. StartedBy distinguishes
 * scheduled runs from those that people start.
 */
function runTask({ cluster, collection, network, task }: ScheduleProps): Record<string, unknown> {
  return {
    Cluster: cluster.arn,
    // The family: ECS starts its newest revision. With a revision, each new one would make this text unknown in the plan.
    TaskDefinition: task.family,
    LaunchType: "FARGATE",
    NetworkConfiguration: {
      AwsvpcConfiguration: {
        Subnets: network.subnetIds,
        SecurityGroups: network.securityGroupIds,
        AssignPublicIp: network.publicIp ? "ENABLED" : "DISABLED",
      },
    },
    Overrides: {
      ContainerOverrides: [
        { Name: CONTAINER, Environment: [{ Name: variables.scheduledTime, Value: SCHEDULED_TIME }] },
      ],
    },
    ClientToken: `${collection.name}-${shortHash(task.family)}-${SCHEDULED_TIME}`,
    StartedBy: task.family,
    PropagateTags: "TASK_DEFINITION",
  };
}

/** Tells the stacks of one cluster apart, in which ECS starts one task for each token. The family itself is too long. */
const shortHash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 8);
