import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { EcsCluster } from "@cdktf/provider-aws/lib/ecs-cluster";
import { Construct } from "constructs";

export interface ClusterProps {
  /** The cluster's name. Its log group is `/ecs/<name>`. */
  readonly name: string;
  /** Days: one of the values that CloudWatch Logs offers. */
  readonly logRetentionDays: number;
}

/** The ECS cluster that tasks run in, and their log group. */
export class Cluster extends Construct {
  readonly arn: string;
  readonly name: string;
  readonly logGroup: { readonly name: string; readonly arn: string };

  constructor(scope: Construct, id: string, props: ClusterProps) {
    super(scope, id);
    const cluster = new EcsCluster(this, "Default", { name: props.name });
    const logGroup = new CloudwatchLogGroup(this, "logs", {
      name: `/ecs/${props.name}`,
      retentionInDays: props.logRetentionDays,
    });
    this.arn = cluster.arn;
    this.name = cluster.name;
    this.logGroup = { name: logGroup.name, arn: logGroup.arn };
  }
}
