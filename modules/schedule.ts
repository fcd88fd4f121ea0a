import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule";
import { Construct } from "constructs";
import { variables } from "../image/config/variables.ts";
import type { Account } from "./account.ts";
import type { Cluster } from "./cluster.ts";
import type { Collection } from "./configuration.ts";
import { CONTAINER } from "./container.ts";
import { Role, type Statement } from "./iam.ts";
import type { ScheduleGroup } from "./schedule-group.ts";
import type { Task } from "./task.ts";
import type { Network } from "./vpc.ts";

// EventBridge Scheduler writes the time the run was due in place of this word, the same on every retry.
const SCHEDULED_TIME = "<aws.scheduler.scheduled-time>";

export interface ScheduleProps {
  readonly account: Account;
  readonly collection: Collection;
  readonly group: ScheduleGroup;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly task: Task;
}

/** Starts one collection's task when its time has come. */
export class Schedule extends Construct {
  constructor(scope: Construct, id: string, props: ScheduleProps) {
    super(scope, id);
    const { account, collection, group, task } = props;
    const role = new Role(this, "role", {
      name: `${task.family}-schedule`,
      description: `git-diff-to-s3: how EventBridge Scheduler starts collection ${collection.name}`,
      service: "scheduler.amazonaws.com",
      // Scheduler names the group, never the schedule, when it assumes the role:
      // https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
      trust: { StringEquals: { "aws:SourceAccount": account.id, "aws:SourceArn": group.arn } },
      statements: statements(props),
    });
    new SchedulerSchedule(this, "Default", {
      name: task.family,
      description: `git-diff-to-s3: collects ${collection.name}`,
      groupName: group.name,
      scheduleExpression: collection.schedule,
      scheduleExpressionTimezone: collection.timezone,
      flexibleTimeWindow: { mode: "OFF" },
      target: {
        arn: `arn:${account.partition}:scheduler:::aws-sdk:ecs:runTask`,
        roleArn: role.arn,
        input: JSON.stringify(runTask(props)),
        // Unless told, Scheduler tries for a day, into the next run. The worker's cursor makes up for a run that is given up.
        retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 20 },
        deadLetterConfig: { arn: group.deadLetters.arn },
      },
    });
  }
}

/**
 * The RunTask request. This universal target and not the templated one for ECS, because only here can ClientToken be
 * set: a schedule is delivered at least once, and ECS starts one task for each token. StartedBy tells scheduled runs
 * from those started by hand.
 */
function runTask({ cluster, collection, network, task }: ScheduleProps): Record<string, unknown> {
  return {
    Cluster: cluster.arn,
    TaskDefinition: task.arn,
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
    ClientToken: `${collection.name}-${SCHEDULED_TIME}`,
    StartedBy: task.family,
    PropagateTags: "TASK_DEFINITION",
  };
}

function statements({ account, cluster, group, task }: ScheduleProps): Statement[] {
  return [
    {
      Sid: "StartTask",
      Effect: "Allow",
      Action: ["ecs:RunTask"],
      // Put together and not read from the task definition, as a new revision would have the plan doubt this statement.
      Resource: [account.arn("ecs", `task-definition/${task.family}:*`)],
      Condition: { ArnEquals: { "ecs:cluster": cluster.arn } },
    },
    {
      Sid: "TagTask",
      Effect: "Allow",
      Action: ["ecs:TagResource"],
      Resource: [account.arn("ecs", `task/${cluster.name}/*`)],
      Condition: { StringEquals: { "ecs:CreateAction": "RunTask" } },
    },
    {
      Sid: "PassRoles",
      Effect: "Allow",
      Action: ["iam:PassRole"],
      Resource: [task.roleArn, task.executionRoleArn],
      Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
    { Sid: "DeadLetters", Effect: "Allow", Action: ["sqs:SendMessage"], Resource: [group.deadLetters.arn] },
  ];
}
