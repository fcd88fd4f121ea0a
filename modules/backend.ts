import { LocalBackend, S3Backend, type TerraformStack } from "cdktf";
import type { Configuration } from "./configuration.ts";
import { stateKey } from "./state-key.ts";

/** Configures where Terraform stores the state: in the configured bucket, otherwise in a file beside main.ts. */
export function configureBackend(stack: TerraformStack, { name, region, state }: Configuration): void {
  if (!state) {
    // Relative to the folder that Terraform runs in. CDKTF's own default is an absolute path of this computer.
    new LocalBackend(stack, { path: `../../../terraform.${name}.tfstate` });
    return;
  }
  new S3Backend(stack, {
    bucket: state.bucket,
    key: stateKey(name, state.key),
    region: state.region ?? region,
    encrypt: true,
  });
  // Locks without a DynamoDB table. CDKTF 0.21 does not know this argument.
  stack.addOverride("terraform.backend.s3.use_lockfile", true);
}
