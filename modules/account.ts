import { DataAwsCallerIdentity } from "@cdktf/provider-aws/lib/data-aws-caller-identity";
import { DataAwsPartition } from "@cdktf/provider-aws/lib/data-aws-partition";
import { Construct } from "constructs";

export interface AccountProps {
  /** AWS region of everything in the stack. */
  readonly region: string;
}

/** The account and region of the stack. Composes ARNs. */
export class Account extends Construct {
  readonly id: string;
  readonly region: string;
  /** `aws`, `aws-cn` or another partition. */
  readonly partition: string;
  /** The end of its host names, such as `amazonaws.com`. */
  readonly domain: string;

  constructor(scope: Construct, id: string, props: AccountProps) {
    super(scope, id);
    this.id = new DataAwsCallerIdentity(this, "Default").accountId;
    const { partition, dnsSuffix } = new DataAwsPartition(this, "partition");
    this.partition = partition;
    this.domain = dnsSuffix;
    this.region = props.region;
  }

  /** Returns an ARN of this account, such as `arn("ssm", "parameter/x")`. The default region is the stack's; IAM has none, "". */
  arn(service: string, resource: string, region: string = this.region): string {
    return `arn:${this.partition}:${service}:${region}:${this.id}:${resource}`;
  }
}
