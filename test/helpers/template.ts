import { Testing } from "cdktf";
import { GitDiff } from "../../main.ts";
import { parse } from "../../modules/configuration.ts";
import type { Statement } from "../../modules/iam.ts";

type Attributes = Readonly<Record<string, unknown>>;
type Blocks = Readonly<Record<string, Readonly<Record<string, Attributes>>>>;

/** An image that is there already, so that nothing has to be built. */
export const IMAGE = `123456789012.dkr.ecr.eu-west-1.amazonaws.com/git-diff@sha256:${"a".repeat(64)}`;

/** The smallest configuration that needs no Docker. */
export const SMALLEST = {
  region: "eu-west-1",
  image: IMAGE,
  repositories: [{ name: "api", url: "https://github.com/acme/api.git" }],
};

/** What stands in the output for an attribute that only Terraform knows. */
export function ref(attribute: string): string {
  return `\${${attribute}}`;
}

/** Some repositories called `r001` and so on. */
export function repositories(count: number, first = 1): { name: string; url: string }[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `r${String(first + index).padStart(3, "0")}`;
    return { name, url: `https://github.com/acme/${name}.git` };
  });
}

/** What Terraform is given for a configuration, as `context.gitDiff` has it. */
export class Template {
  readonly json: {
    resource: Blocks;
    data: Blocks;
    output: Blocks[string];
    provider: Record<string, Attributes[]>;
  };

  constructor(gitDiff: unknown) {
    // `true` runs CDKTF's validations too, such as that there is a provider for every resource.
    this.json = JSON.parse(Testing.synth(new GitDiff(Testing.app(), parse(gitDiff)), true));
  }

  /** Every address of a resource or data source, sorted. */
  get addresses(): string[] {
    return [...list(this.json.resource, ""), ...list(this.json.data, "data.")].sort();
  }

  /** The attributes of the resource with this address. */
  get(address: string): Attributes {
    const [type = "", id = ""] = address.split(".");
    const attributes = this.json.resource[type]?.[id];
    if (!attributes) throw new Error(`No ${address} among ${this.addresses.join(", ")}`);
    return attributes;
  }

  /** The statements of a bucket's or topic's policy, a role's trust or a managed policy. */
  statements(address: string, attribute = "policy"): Statement[] {
    return JSON.parse(String(this.get(address)[attribute])).Statement;
  }

  /** The statements of every policy in the stack, by Sid; statements without one are trusts. */
  get allStatements(): Statement[] {
    return this.addresses.flatMap((address) => {
      if (/^aws_(iam_policy|s3_bucket_policy|sns_topic_policy)\./.test(address))
        return this.statements(address);
      return [];
    });
  }

  /** The container of a collection's task. */
  container(collection = "all"): Attributes & { environment: { name: string; value: string }[] } {
    return JSON.parse(
      String(this.get(`aws_ecs_task_definition.task-${collection}`).container_definitions),
    )[0];
  }
}

function list(blocks: Blocks, prefix: string): string[] {
  return Object.entries(blocks).flatMap(([type, ids]) =>
    Object.keys(ids).map((id) => `${prefix}${type}.${id}`),
  );
}
