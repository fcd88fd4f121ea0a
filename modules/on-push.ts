import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target";
import { Construct } from "constructs";
import type { Collection } from "./collection.ts";
import { type IdentitySettings, Role } from "./iam.ts";
import { jsonSize } from "./json-size.ts";
import { pushedRepositories } from "./pushed-repositories.ts";
import type { Results } from "./results.ts";
import type { ScheduleGroup } from "./schedule-group.ts";
import { type StartProps, startStatements } from "./start-statements.ts";
import type { Network } from "./vpc.ts";

export interface OnPushProps extends StartProps {
  readonly collection: Collection;
  readonly network: Network;
  readonly results: Results;
  readonly group: ScheduleGroup;
  readonly identity: IdentitySettings;
}

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const patternCharacters = 2048;

/** Starts one collection's task whenever somebody pushes to one of its repositories in CodeCommit. */
export class OnPush extends Construct {
  /** The rules, whose messages the dead-letter queue has to accept. */
  readonly ruleArns: readonly string[];

  constructor(scope: Construct, id: string, props: OnPushProps) {
    super(scope, id);
    const { account, cluster, collection, group, identity, network, results, task } = props;
    const arns = pushedRepositories(collection.repositories, account.region).map((name) =>
      account.arn("codecommit", name),
    );
    const patterns = patternsOf(arns);
    const names = patterns.map((_, index) => `${task.family}-push-${index + 1}`);
    this.ruleArns = names.map((name) => account.arn("events", `rule/${name}`));
    const role = new Role(this, "role", {
      name: `${task.family}-push`,
      description: `git-diff-to-s3: EventBridge starts collection ${collection.name}`,
      identity,
      service: "events.amazonaws.com",
      trust: {
        StringEquals: { "aws:SourceAccount": account.id },
        // Not each by its name: a trust policy has at most 2,048 characters.
        ArnLike: { "aws:SourceArn": account.arn("events", `rule/${task.family}-push-*`) },
      },
      statements: startStatements(props),
    });
    for (const [index, pattern] of patterns.entries()) {
      const rule = new CloudwatchEventRule(this, `${index + 1}`, {
        name: names[index],
        description: `git-diff-to-s3: somebody pushed to a repository of ${collection.name}`,
        eventPattern: pattern,
        state: collection.paused ? "DISABLED" : "ENABLED",
      });
      new CloudwatchEventTarget(this, `start-${index + 1}`, {
        rule: rule.name,
        arn: cluster.arn,
        roleArn: role.arn,
        ecsTarget: {
          // The family: ECS starts its newest revision.
          taskDefinitionArn: account.arn("ecs", `task-definition/${task.family}`),
          launchType: "FARGATE",
          propagateTags: "TASK_DEFINITION",
          networkConfiguration: {
            subnets: [...network.subnetIds],
            securityGroups: [...network.securityGroupIds],
            assignPublicIp: network.publicIp,
          },
        },
        // The next run, or the next push, collects what this one missed.
        retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 20 },
        deadLetterConfig: { arn: group.deadLetters.arn },
        dependsOn: [...role.permissions, ...task.parts, ...results.rules],
      });
    }
  }
}

/** Distributes repositories over as few patterns as possible. */
function patternsOf(arns: readonly string[]): string[] {
  const groups: string[][] = [];
  for (const arn of arns) {
    const last = groups.at(-1);
    if (last && jsonSize(patternOf([...last, arn])) <= patternCharacters) last.push(arn);
    else groups.push([arn]);
  }
  return groups.map(patternOf);
}

/** Source: https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html */
const patternOf = (resources: readonly string[]): string =>
  JSON.stringify({
    source: ["aws.codecommit"],
    "detail-type": ["CodeCommit Repository State Change"],
    resources,
    detail: { event: ["referenceCreated", "referenceUpdated", "referenceDeleted"] },
  });
