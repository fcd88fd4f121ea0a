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

/** Returns why the image cannot be built for a region, and what to do. */
export function validateBuild(region: string, image: string): string | undefined {
  // Regions whose ECR is not below amazonaws.com: https://docs.aws.amazon.com/general/latest/gr/ecr.html
  // The provider signs in to no other: https://github.com/kreuzwerker/terraform-provider-docker/blob/v3.6.2/internal/provider/authentication_helpers.go
  if (image !== "build" || !/^(cn|eusc|[a-z]{2}-iso[a-z]?)-/.test(region)) return undefined;
  return `cannot be pushed in ${region}, because the Docker provider signs in to amazonaws.com only; run "npm run image -- --push <repository>", and write the reference that it prints`;
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
        // With a builder, the provider takes this path relative to the folder that Terraform runs in; from 4.0 on, to the
        // context again: https://github.com/kreuzwerker/terraform-provider-docker/issues/737
        dockerfile: `${props.context}/image/Dockerfile`,
        platform: "linux/arm64",
        // The date that the image has, so that its digest is the same on every day.
        buildArgs: { SOURCE_DATE_EPOCH: "0" },
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
