import { EcsCluster } from "@cdktf/provider-aws/lib/ecs-cluster";
import type { Construct } from "constructs";
import type { Account } from "./account.ts";

/** The ECS cluster that tasks run in. */
export interface Cluster {
  readonly arn: string;
  readonly name: string;
}

/** Returns the cluster that exists already, or a new one with the stack's name. */
export function findCluster(scope: Construct, account: Account, stack: string, existing?: string): Cluster {
  return existing
    ? { name: existing, arn: account.arn("ecs", `cluster/${existing}`) }
    : new EcsCluster(scope, "cluster", { name: stack });
}
