import { EcsTaskDefinition } from "@cdktf/provider-aws/lib/ecs-task-definition";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import { ConfigurationError } from "./configuration.ts";
import { type ContainerProps, container, cursorOf, SCRATCH_VOLUME, secretsOf } from "./container.ts";
import { Role, type Statement } from "./iam.ts";
import { codeCommitOf, type Repository } from "./repository.ts";
import { sizeOf } from "./size.ts";

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html: 64 KiB for a task definition, of which
// the container is all but a few names, numbers and tags.
const CONTAINER_BYTES = 62 * 1024;

export interface TaskProps extends ContainerProps {
  /** CPU units, 1024 a vCPU, and MiB of memory: a pair that Fargate has. */
  readonly cpu: number;
  readonly memory: number;
  /** ARN of the KMS key that encrypts results and credentials. @default - AWS's own keys */
  readonly kmsKey?: string;
}

/** What one collection's schedule starts: a task definition, and the two roles it runs with. */
export class Task extends Construct {
  readonly family: string;
  readonly arn: string;
  /** The role of the worker itself. */
  readonly roleArn: string;
  /** The role with which ECS prepares the container. */
  readonly executionRoleArn: string;

  constructor(scope: Construct, id: string, props: TaskProps) {
    super(scope, id);
    const { account, collection } = props;
    this.family = `${props.name}-${collection.name}`;
    const containers = JSON.stringify([container(props)]);
    if (sizeOf(containers) > CONTAINER_BYTES) {
      throw new ConfigurationError(
        `gitDiff: collection "${collection.name}" has ${collection.repositories.length} repositories, which take ` +
          `${sizeOf(containers)} bytes of a task definition, and ECS has room for ${CONTAINER_BYTES}: ` +
          "add a collection to gitDiff.collections and move some of them there.",
      );
    }
    const trust = {
      service: "ecs-tasks.amazonaws.com",
      trust: {
        StringEquals: { "aws:SourceAccount": account.id },
        // The cluster's ARN here would lock ECS out; it says so itself:
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
        ArnLike: { "aws:SourceArn": account.arn("ecs", "*") },
      },
    };
    this.roleArn = new Role(this, "worker", {
      name: `${this.family}-task`,
      description: `git-diff-to-s3: what the worker of collection ${collection.name} may do`,
      ...trust,
      statements: workerStatements(props),
    }).arn;
    this.executionRoleArn = new Role(this, "execution", {
      name: `${this.family}-execution`,
      description: `git-diff-to-s3: how ECS starts collection ${collection.name}`,
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
      Action: ["ssm:GetParameter", "ssm:PutParameter"],
      Resource: repositories.map((one) => account.arn("ssm", `parameter${cursorOf(name, one)}`)),
    },
    {
      Sid: "ReadStepRecords",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      // Not by the bucket's own attribute, whose length would be a guess: see `pack`.
      Resource: repositories.map(
        (one) => `arn:${account.partition}:s3:::${bucket.name}/${one.name}/_steps/*`,
      ),
    },
    {
      Sid: "CodeCommit",
      Effect: "Allow",
      Action: ["codecommit:GitPull"],
      Resource: gitPulls(account, repositories),
    },
    {
      Sid: "ResultsKey",
      Effect: "Allow",
      // Decrypt as well as GenerateDataKey: S3 reads the parts of a multipart upload when it puts them together.
      Action: ["kms:Decrypt", "kms:GenerateDataKey"],
      Resource: kmsKey ? [kmsKey] : [],
      Condition: { StringEquals: { "kms:ViaService": `s3.${account.region}.${account.domain}` } },
    },
  ];
}

/** Each once, as two entries may follow two branches of one repository. */
function gitPulls(account: Account, repositories: readonly Repository[]): string[] {
  const arns = repositories.flatMap((one) => {
    const repository = codeCommitOf(one);
    return repository ? [account.arn("codecommit", repository.name, repository.region)] : [];
  });
  return [...new Set(arns)];
}

function executionStatements(props: TaskProps): Statement[] {
  const { account, cluster, collection, image, kmsKey } = props;
  const secrets = secretsOf(props);
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
      // The one action here that has no resource to name.
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
