import { CodecommitRepository } from "@cdktf/provider-aws/lib/codecommit-repository";
import { TerraformIterator } from "cdktf";
import { Construct } from "constructs";

export interface CreatedRepositoriesProps {
  /** Names of the repositories to create, perhaps none. */
  readonly names: readonly string[];
}

/**
 * Repositories in CodeCommit that the stack creates and never destroys. All are one resource, which is there even
 * without any: Terraform protects what a resource no longer lists, but not what is no longer a resource.
 */
export class CreatedRepositories extends Construct {
  constructor(scope: Construct, id: string, { names }: CreatedRepositoriesProps) {
    super(scope, id);
    const each = TerraformIterator.fromList([...names]);
    new CodecommitRepository(this, "Default", {
      forEach: each,
      repositoryName: each.value,
      lifecycle: { preventDestroy: true },
    });
  }
}
