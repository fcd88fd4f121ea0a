import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import { Construct } from "constructs";
import { ConfigurationError } from "./configuration.ts";
import { sizeOf } from "./size.ts";

export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: unknown;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface RoleProps {
  /** The role's name, at most 64 characters; its policies are called `<name>-1` and so on. */
  readonly name: string;
  /** Says in the console and in the plan who uses the role. */
  readonly description: string;
  /** The AWS service that assumes the role. */
  readonly service: string;
  /** Conditions under which it may, so that nobody else's resources can make the service act for them. */
  readonly trust: NonNullable<Statement["Condition"]>;
  /** What the role may do. A statement without resources grants nothing and is left out. */
  readonly statements: readonly Statement[];
}

/** A role that one AWS service assumes, and exactly the permissions it is given. */
export class Role extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id);
    const role = new IamRole(this, "Default", {
      name: props.name,
      description: props.description,
      assumeRolePolicy: document([
        {
          Effect: "Allow",
          Principal: { Service: props.service },
          Action: "sts:AssumeRole",
          Condition: props.trust,
        },
      ]),
    });
    this.arn = role.arn;
    for (const [index, statements] of pack(props.statements).entries()) {
      const policy = new IamPolicy(this, `${index + 1}`, {
        name: `${props.name}-${index + 1}`,
        description: props.description,
        policy: document(statements),
      });
      new IamRolePolicyAttachment(this, `attach-${index + 1}`, { role: role.name, policyArn: policy.arn });
    }
  }
}

/** A policy document as AWS reads it. */
export function document(statements: readonly unknown[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: a managed policy holds 6,144 characters, a
// role ten of them; 300 exact ARNs are more than the 10,240 characters that a role's inline policies share.
const POLICY_CHARACTERS = 6144;
const POLICIES = 10;

/** Spreads statements, and the resources of one statement, in order, over as few policies as hold them. */
export function pack(statements: readonly Statement[]): Statement[][] {
  const policies: Statement[][] = [];
  for (const { Resource, ...rest } of statements) {
    for (const resource of Resource) {
      const last = policies.at(-1);
      const fuller = last && add(last, { ...rest, Resource: [resource] });
      if (fuller && sizeOf(document(fuller)) <= POLICY_CHARACTERS) policies[policies.length - 1] = fuller;
      else policies.push([{ ...rest, Resource: [resource] }]);
    }
  }
  if (policies.length > POLICIES) {
    throw new ConfigurationError(
      `gitDiff: a role needs ${policies.length} policies to name each of its repositories, and IAM attaches ${POLICIES}: ` +
        "add a collection to gitDiff.collections and move some repositories there.",
    );
  }
  return policies;
}

/** The statement becomes part of the last one if that says the same of other resources. */
function add(policy: readonly Statement[], statement: Statement): Statement[] {
  const last = policy.at(-1);
  if (last?.Sid !== statement.Sid) return [...policy, statement];
  return [...policy.slice(0, -1), { ...last, Resource: [...last.Resource, ...statement.Resource] }];
}
