import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { TerraformStack } from "cdktf";
import { Construct } from "constructs";

export interface PeopleKeyProps {
  /** The stack's name. */
  readonly name: string;
  /** ARN of the KMS key that encrypts the parameter. @default - the account's own key for SSM */
  readonly kmsKey?: string;
}

/** The secret of people's hashes: made once, and in no plan and no state. */
export class PeopleKey extends Construct {
  readonly name: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, { name, kmsKey }: PeopleKeyProps) {
    super(scope, id);
    // CDKTF has no ephemeral resources. https://developer.hashicorp.com/terraform/language/block/ephemeral
    const random = "aws_secretsmanager_random_password";
    TerraformStack.of(this).addOverride(`ephemeral.${random}.people`, {
      password_length: 64,
      exclude_punctuation: true,
    });
    const parameter = new SsmParameter(this, "key", {
      name: `/${name}/_people-key`,
      description: "The secret from which the hashes of people in tables are made",
      type: "SecureString",
      keyId: kmsKey,
      valueWo: `\${ephemeral.${random}.people.random_password}`,
      // Never written again: another secret would make other hashes.
      valueWoVersion: 1,
      lifecycle: { ignoreChanges: ["key_id"] },
    });
    this.name = parameter.name;
    this.arn = parameter.arn;
  }
}
