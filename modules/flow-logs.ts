import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { FlowLog } from "@cdktf/provider-aws/lib/flow-log";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import { type IdentitySettings, Role } from "./iam.ts";

export interface FlowLogsProps {
  readonly account: Account;
  /** Prefix of all names: the stack's. */
  readonly name: string;
  readonly vpcId: string;
  readonly identity: IdentitySettings;
  /** Days: one of the values that CloudWatch Logs offers. */
  readonly logRetentionDays: number;
  /** ARN of the KMS key that encrypts the log. @default - AWS's own key */
  readonly kmsKey?: string;
}

/** A log of every connection in a VPC. */
export class FlowLogs extends Construct {
  constructor(scope: Construct, id: string, props: FlowLogsProps) {
    super(scope, id);
    const { account, name } = props;
    const log = new CloudwatchLogGroup(this, "log", {
      name: `/vpc/${name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.kmsKey,
    });
    // https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
    const role = new Role(this, "role", {
      name: `${name}-flow-logs`,
      description: "git-diff-to-s3: the VPC writes its flow log",
      identity: props.identity,
      service: "vpc-flow-logs.amazonaws.com",
      trust: {
        StringEquals: { "aws:SourceAccount": account.id },
        ArnLike: { "aws:SourceArn": account.arn("ec2", "vpc-flow-log/*") },
      },
      statements: [
        {
          Sid: "WriteFlowLog",
          Effect: "Allow",
          Action: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
          Resource: [`${log.arn}:*`],
        },
        // This action takes no single group.
        {
          Sid: "FindFlowLog",
          Effect: "Allow",
          Action: ["logs:DescribeLogGroups"],
          Resource: [account.arn("logs", "log-group:*")],
        },
      ],
    });
    new FlowLog(this, "Default", {
      vpcId: props.vpcId,
      trafficType: "ALL",
      logDestination: log.arn,
      iamRoleArn: role.arn,
      tags: { Name: name },
      dependsOn: [...role.permissions],
    });
  }
}
