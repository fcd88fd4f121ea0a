import { EcsTaskDefinition } from "@cdktf/provider-aws/lib/ecs-task-definition";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import {
  type ContainerProps,
  collectionSecrets,
  containerDefinition,
  cursorName,
  SCRATCH_VOLUME,
} from "./container.ts";
import { Role, type Statement } from "./iam.ts";
import { jsonSize } from "./json-size.ts";
import { codeCommitOf, type Repository } from "./repository.ts";

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html: 64 KiB for a task definition. All but
// a few names, numbers and tags is the container definition.
const CONTAINER_BYTES = 62 * 1024;

export interface TaskProps extends ContainerProps {
  /** CPU units, 1024 a vCPU, and MiB of memory: a pair that Fargate offers. */
  readonly cpu: number;
  readonly memory: number;
  /** ARN of the KMS key that encrypts results and credentials. @default - AWS's own keys */
  readonly kmsKey?: string;
}

/** The task of one collection: a task definition and its two roles. */
export class Task extends Construct {
  readonly family: string;
  readonly arn: string;
  /** The role of the worker itself. */
  readonly roleArn: string;
  /** The role with which ECS pulls the image, reads the credentials and writes the log. */
  readonly executionRoleArn: string;

  constructor(scope: Construct, id: string, props: TaskProps) {
    super(scope, id);
    const { account, collection } = props;
    this.family = `${props.name}-${collection.name}`;
    const containers = JSON.stringify([containerDefinition(props)]);
    const bytes = jsonSize(containers);
    const needs = `collection "${collection.name}" has ${collection.repositories.length} repositories, which need ${bytes} bytes in the task definition`;
    const parts = Math.ceil(bytes / CONTAINER_BYTES);
    this.node.addValidation({
      validate: () =>
        parts > 1
          ? [
              `gitDiff: ${needs}; ECS allows ${CONTAINER_BYTES}: distribute them over at least ${parts} collections (gitDiff.collections)`,
            ]
          : [],
    });
    const trust = {
      service: "ecs-tasks.amazonaws.com",
      trust: {
        StringEquals: { "aws:SourceAccount": account.id },
        // Not the cluster's ARN, which does not work here according to the documentation:
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
        ArnLike: { "aws:SourceArn": account.arn("ecs", "*") },
      },
    };
    this.roleArn = new Role(this, "worker", {
      name: `${this.family}-task`,
      description: `git-diff-to-s3: the worker of collection ${collection.name}`,
      ...trust,
      statements: workerStatements(props),
    }).arn;
    this.executionRoleArn = new Role(this, "execution", {
      name: `${this.family}-execution`,
      description: `git-diff-to-s3: ECS starts collection ${collection.name}`,
      ...trust,
      statements: executionStatements(props),
    }).arn;
    this.arn = new EcsTaskDefinition(this, "Default", {
      family: this.family,
      requiresCompatibilities: ["FARGATE"],
      networkMode: "awsvpc",
      runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: "ARM64" },
      cpu: `${props.cpu}`,
      memory: `${props.memory}`,
      taskRoleArn: this.roleArn,
      executionRoleArn: this.executionRoleArn,
      containerDefinitions: containers,
      volume: [{ name: SCRATCH_VOLUME }],
    }).arn;
  }
}

function workerStatements({ account, name, bucket, collection, kmsKey }: TaskProps): Statement[] {
  const { repositories } = collection;
  return [
    {
      Sid: "Cursors",
      Effect: "Allow",
      Action: ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
      Resource: repositories.map((repository) =>
        account.arn("ssm", `parameter${cursorName(name, repository)}`),
      ),
    },
    {
      Sid: "ReadStepRecords",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      // Composed instead of read from the bucket: `packPolicies` needs to know the length.
      Resource: repositories.map(
        (repository) => `arn:${account.partition}:s3:::${bucket.name}/${repository.name}/_steps/*`,
      ),
    },
    {
      Sid: "CodeCommit",
      Effect: "Allow",
      Action: ["codecommit:GitPull"],
      Resource: codeCommitArns(account, repositories),
    },
    {
      Sid: "ResultsKey",
      Effect: "Allow",
      // Decrypt too: S3 reads the parts of a multipart upload to combine them.
      Action: ["kms:Decrypt", "kms:GenerateDataKey"],
      Resource: kmsKey ? [kmsKey] : [],
      Condition: { StringEquals: { "kms:ViaService": `s3.${account.region}.${account.domain}` } },
    },
  ];
}

/** Returns each ARN once, since two entries may follow two branches of the same repository. */
function codeCommitArns(account: Account, repositories: readonly Repository[]): string[] {
  const arns = repositories.flatMap((repository) => {
    const target = codeCommitOf(repository);
    return target ? [account.arn("codecommit", target.name, target.region)] : [];
  });
  return [...new Set(arns)];
}

function executionStatements(props: TaskProps): Statement[] {
  const { account, cluster, collection, image, kmsKey } = props;
  const secrets = collectionSecrets(props);
  return [
    {
      Sid: "Log",
      Effect: "Allow",
      Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
      Resource: [`${cluster.logGroup.arn}:log-stream:${collection.name}/*`],
    },
    {
      Sid: "RegistryLogin",
      Effect: "Allow",
      Action: ["ecr:GetAuthorizationToken"],
      // This action does not support resources.
      Resource: image.repositoryArn ? ["*"] : [],
    },
    {
      Sid: "PullImage",
      Effect: "Allow",
      Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      Resource: image.repositoryArn ? [image.repositoryArn] : [],
    },
    {
      Sid: "ReadCredentials",
      Effect: "Allow",
      Action: ["ssm:GetParameters"],
      Resource: secrets.map(({ name }) => account.arn("ssm", `parameter${name}`)),
    },
    {
      Sid: "CredentialsKey",
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: kmsKey && secrets.length > 0 ? [kmsKey] : [],
      Condition: { StringEquals: { "kms:ViaService": `ssm.${account.region}.${account.domain}` } },
    },
  ];
}
