import type { Account } from "./account.ts";
import type { Cluster } from "./cluster.ts";
import type { Statement } from "./iam.ts";
import type { Task } from "./task.ts";

export interface StartProps {
  readonly account: Account;
  readonly cluster: Cluster;
  readonly task: Task;
}

/** Returns what starting a task needs. */
export const startStatements = ({ account, cluster, task }: StartProps): Statement[] => [
  {
    Sid: "StartTask",
    Effect: "Allow",
    Action: ["ecs:RunTask"],
    // ECS authorises the revision that it finds: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
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
];
