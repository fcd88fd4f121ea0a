import { DataAwsCallerIdentity } from "@cdktf/provider-aws/lib/data-aws-caller-identity";
import { DataAwsPartition } from "@cdktf/provider-aws/lib/data-aws-partition";
import { Construct } from "constructs";

export interface AccountProps {
  /** AWS region of everything in the stack. */
  readonly region: string;
}

/** The account and region that the stack is deployed to, and the exact ARNs of what lies in them. */
export class Account extends Construct {
  readonly id: string;
  readonly region: string;
  /** `aws`, or the name of a partition of its own such as China's. */
  readonly partition: string;
  /** What its host names end in. */
  readonly domain: string;

  constructor(scope: Construct, id: string, props: AccountProps) {
    super(scope, id);
    this.id = new DataAwsCallerIdentity(this, "Default").accountId;
    const { partition, dnsSuffix } = new DataAwsPartition(this, "partition");
    this.partition = partition;
    this.domain = dnsSuffix;
    this.region = props.region;
  }

  /** `arn("ssm", "parameter/x")` is that parameter in this account, in this region unless told. */
  arn(service: string, resource: string, region: string = this.region): string {
    return `arn:${this.partition}:${service}:${region}:${this.id}:${resource}`;
  }
}
