import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DataAwsEcrAuthorizationToken } from "@cdktf/provider-aws/lib/data-aws-ecr-authorization-token";
import { EcrLifecyclePolicy } from "@cdktf/provider-aws/lib/ecr-lifecycle-policy";
import { EcrRepository } from "@cdktf/provider-aws/lib/ecr-repository";
import { Image } from "@cdktf/provider-docker/lib/image";
import { DockerProvider } from "@cdktf/provider-docker/lib/provider";
import { RegistryImage } from "@cdktf/provider-docker/lib/registry-image";
import { Construct } from "constructs";
import type { Account } from "./account.ts";

/** What the image is made of, as paths below the project: .dockerignore lets just these into the build. */
export const SOURCES = ["image", "package.json", "package-lock.json"];

export interface EcrProps {
  readonly account: Account;
  /** The repository's name. */
  readonly name: string;
  /** The build's context as Terraform sees it: relative to the folder it runs in, so that no plan tells a computer apart. */
  readonly context: string;
  /** Hash of what the image is made of: its tag. */
  readonly tag: string;
}

/** What a task needs to know of an image. */
export interface Pulled {
  /** The image by digest. */
  readonly uri: string;
  /** ARN of the ECR repository that ECS needs permission to pull from, if it lies in one. */
  readonly repositoryArn?: string;
}

/** The worker's image: built and pushed when its sources have changed, and only then. */
export class Ecr extends Construct implements Pulled {
  readonly repositoryArn: string;
  /** Reading it waits for the push. */
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
      // Untagged images only: a rule that counts tagged ones removes the image in use after enough others came and went.
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: "What no tag names, after a day",
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
    // Nothing in this block may depend on a resource: while a value is unknown, the Docker provider takes the whole block
    // for absent and fails. Hence the address is put together and not read from the repository.
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
        // Without it the provider builds in a way that fails where Docker keeps images in containerd, the default since
        // Docker 29: https://github.com/kreuzwerker/terraform-provider-docker/issues/534
        builder: "default",
      },
    });
    const pushed = new RegistryImage(this, "pushed", { name: image.name, keepRemotely: true });
    this.repositoryArn = repository.arn;
    this.uri = `${repository.repositoryUrl}@${pushed.sha256Digest}`;
  }
}

/**
 * SHA-256 over the paths and contents of these files and folders, which are relative to root: the same wherever root is.
 * Hidden files, which editors and file managers leave behind, do not count.
 */
export function contentHash(root: string, paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths.flatMap((one) => filesBelow(root, one)).sort()) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function filesBelow(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => !name.startsWith("."))
    .flatMap((name) => filesBelow(root, `${path}/${name}`));
}

/** An image that is there already, and the ECR repository that it lies in, unless it lies elsewhere. */
export function prebuilt(uri: string, account: Account): Pulled {
  const [, owner, region, name] =
    /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|on\.aws|on\.amazonwebservices\.com)(?:\.cn)?\/([^@:]+)/.exec(
      uri,
    ) ?? [];
  return {
    uri,
    repositoryArn: owner && `arn:${account.partition}:ecr:${region}:${owner}:repository/${name}`,
  };
}
