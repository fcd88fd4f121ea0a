import type { Account } from "./account.ts";

/** What a task needs to know about its image. */
export interface ImageReference {
  /** The image by digest. */
  readonly uri: string;
  /** ARN of the ECR repository that the image is pulled from. Undefined for an image outside ECR. */
  readonly repositoryArn?: string;
}

// https://docs.aws.amazon.com/AmazonECR/latest/userguide/getting-started-cli.html, and its dual-stack and FIPS hosts
const ecrImage =
  /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|on\.aws|on\.amazonwebservices\.com)(?:\.cn)?\/([^@:]+)/;

/** Returns the reference of an image that exists already. */
export function prebuilt(uri: string, account: Account): ImageReference {
  const [, owner, region, name] = ecrImage.exec(uri) ?? [];
  return {
    uri,
    repositoryArn: owner && `arn:${account.partition}:ecr:${region}:${owner}:repository/${name}`,
  };
}
