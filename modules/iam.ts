import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { jsonSize } from "./json-size.ts";

export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: unknown;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface RoleProps {
  /** The role's name, at most 64 characters. Its policies are named `<name>-1`, `<name>-2` and so on. */
  readonly name: string;
  /** Shown in the console and in the plan. */
  readonly description: string;
  /** The AWS service that assumes the role. */
  readonly service: string;
  /** Conditions for assuming it, which exclude resources of other accounts (the confused deputy problem). */
  readonly trust: NonNullable<Statement["Condition"]>;
  /** The role's permissions. A statement without resources is omitted. */
  readonly statements: readonly Statement[];
  readonly identity: IdentitySettings;
}

/** What an account may demand of every role in it. */
export interface IdentitySettings {
  /** Path of roles and policies, such as `/acme/`. @default - "/" */
  readonly path?: string;
  /** ARN of the policy that bounds what roles may do. */
  readonly permissionsBoundary?: string;
}

/** A role that one AWS service assumes, and its policies. */
export class Role extends Construct {
  readonly arn: string;
  /** What has to be there before the role can do anything. */
  readonly permissions: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id);
    const { path, permissionsBoundary } = props.identity;
    const role = new IamRole(this, "Default", {
      name: props.name,
      path,
      permissionsBoundary,
      description: props.description,
      assumeRolePolicy: policyDocument([
        {
          Effect: "Allow",
          Principal: { Service: props.service },
          Action: "sts:AssumeRole",
          Condition: props.trust,
        },
      ]),
    });
    this.arn = role.arn;
    const policies = packPolicies(props.statements);
    const needs = `the role "${props.description}" needs ${policies.length} policies to list its repositories`;
    const parts = Math.ceil(policies.length / POLICIES);
    this.node.addValidation({
      validate: () =>
        parts > 1
          ? [
              `${needs}; IAM allows ${POLICIES}: distribute them over at least ${parts} collections (gitDiff.collections)`,
            ]
          : [],
    });
    this.permissions = policies.map((statements, index) => {
      const policy = new IamPolicy(this, `${index + 1}`, {
        name: `${props.name}-${index + 1}`,
        path,
        description: props.description,
        policy: policyDocument(statements),
      });
      return new IamRolePolicyAttachment(this, `attach-${index + 1}`, {
        role: role.name,
        policyArn: policy.arn,
      });
    });
  }
}

/** Returns a policy document as JSON. */
export function policyDocument(statements: readonly unknown[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: a managed policy has at most 6,144
// characters, and a role at most ten of them. 300 ARNs exceed the 10,240 characters of all inline policies of a role.
const POLICY_CHARACTERS = 6144;
const POLICIES = 10;

/** Distributes statements, and the resources of a statement, over as few policies as possible. Keeps their order. */
export function packPolicies(statements: readonly Statement[]): Statement[][] {
  const policies: Statement[][] = [];
  for (const { Resource, ...rest } of statements) {
    for (const resource of Resource) {
      const last = policies.at(-1);
      const extended = last && addStatement(last, { ...rest, Resource: [resource] });
      if (extended && jsonSize(policyDocument(extended)) <= POLICY_CHARACTERS)
        policies[policies.length - 1] = extended;
      else policies.push([{ ...rest, Resource: [resource] }]);
    }
  }
  return policies;
}

/** Adds the statement's resources to the last statement if both have the same Sid. */
function addStatement(policy: readonly Statement[], statement: Statement): Statement[] {
  const last = policy.at(-1);
  if (last?.Sid !== statement.Sid) return [...policy, statement];
  return [...policy.slice(0, -1), { ...last, Resource: [...last.Resource, ...statement.Resource] }];
}
