import { LocalBackend, S3Backend, type TerraformStack } from "cdktf";
import type { Configuration } from "./configuration.ts";

/** Has Terraform keep the stack's state in the configured bucket, or else in a file beside main.ts. */
export function keepState(stack: TerraformStack, { name, region, state }: Configuration): void {
  if (!state) {
    // Relative to the folder that Terraform runs in, as CDKTF's own default names a folder of this computer.
    new LocalBackend(stack, { path: `../../../terraform.${name}.tfstate` });
    return;
  }
  new S3Backend(stack, {
    bucket: state.bucket,
    key: state.key,
    region: state.region ?? region,
    encrypt: true,
  });
  // Locks without a DynamoDB table. CDKTF 0.21 does not know this argument.
  stack.addOverride("terraform.backend.s3.use_lockfile", true);
}
