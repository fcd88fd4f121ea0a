import { DataAwsEcrAuthorizationToken } from "@cdktf/provider-aws/lib/data-aws-ecr-authorization-token";
import { EcrLifecyclePolicy } from "@cdktf/provider-aws/lib/ecr-lifecycle-policy";
import { EcrRepository } from "@cdktf/provider-aws/lib/ecr-repository";
import { Image } from "@cdktf/provider-docker/lib/image";
import { DockerProvider } from "@cdktf/provider-docker/lib/provider";
import { RegistryImage } from "@cdktf/provider-docker/lib/registry-image";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import type { ImageReference } from "./image-reference.ts";

export interface EcrProps {
  readonly account: Account;
  /** The repository's name. */
  readonly name: string;
  /** The build's context, relative to the folder that Terraform runs in: the plan is the same on every computer. */
  readonly context: string;
  /** The image's tag: the hash of its sources. */
  readonly tag: string;
}

/** An ECR repository, and the worker's image in it. The image is built and pushed when its sources change. */
export class Ecr extends Construct implements ImageReference {
  readonly repositoryArn: string;
  /** Refers to the pushed image, so that whatever reads it is created after the push. */
  readonly uri: string;

  constructor(scope: Construct, id: string, props: EcrProps) {
    super(scope, id);
    const { account, tag } = props;
    const repository = new EcrRepository(this, "Default", {
      name: props.name,
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
    });
    new EcrLifecyclePolicy(this, "lifecycle", {
      repository: repository.name,
      // Untagged images only. A rule that counts tagged images could expire the one in use.
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: "Expire untagged images after one day",
            selection: {
              tagStatus: "untagged",
              countType: "sinceImagePushed",
              countUnit: "days",
              countNumber: 1,
            },
            action: { type: "expire" },
          },
        ],
      }),
    });
    // Nothing in this block may depend on a resource: while a value is unknown, the Docker provider treats the whole block
    // as missing and fails. Therefore the address is composed here instead of read from the repository.
    const login = new DataAwsEcrAuthorizationToken(this, "login");
    new DockerProvider(this, "docker", {
      registryAuth: [
        {
          address: `${account.id}.dkr.ecr.${account.region}.${account.domain}`,
          username: login.userName,
          password: login.password,
        },
      ],
    });
    const image = new Image(this, "image", {
      name: `${repository.repositoryUrl}:${tag}`,
      keepLocally: true,
      buildAttribute: {
        context: props.context,
        dockerfile: "image/Dockerfile",
        platform: "linux/arm64",
        // Without a builder, the provider uses a build that fails where Docker keeps images in containerd, the default
        // since Docker 29: https://github.com/kreuzwerker/terraform-provider-docker/issues/534
        builder: "default",
      },
    });
    const pushed = new RegistryImage(this, "pushed", { name: image.name, keepRemotely: true });
    this.repositoryArn = repository.arn;
    this.uri = `${repository.repositoryUrl}@${pushed.sha256Digest}`;
  }
}
