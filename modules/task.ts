import { EcsTaskDefinition } from "@cdktf/provider-aws/lib/ecs-task-definition";
import { Construct } from "constructs";
import { variables } from "../image/environment.ts";
import type { Account } from "./account.ts";
import type { Bucket } from "./bucket.ts";
import type { Cluster } from "./cluster.ts";
import type { Collection } from "./configuration.ts";
import { type Credentials, placeOf } from "./credentials.ts";
import type { Pulled } from "./ecr.ts";
import { Role, type Statement } from "./iam.ts";
import { codeCommitOf, type Repository } from "./repository.ts";

/** The one container of a task, as overrides name it. */
export const CONTAINER = "worker";

// A Fargate volume belongs to root unless the image has a VOLUME at this very path that belongs to the user below:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
const SCRATCH = "/scratch";
const USER = "65532:65532";

export interface TaskProps {
  readonly account: Account;
  /** The stack's name, with which every name begins. */
  readonly name: string;
  readonly collection: Collection;
  /** CPU units, 1024 a vCPU, and MiB of memory: a pair that Fargate has. */
  readonly cpu: number;
  readonly memory: number;
  readonly image: Pulled;
  readonly cluster: Cluster;
  readonly bucket: Bucket;
  readonly credentials: Credentials;
  /** ARN of the KMS key that encrypts results and credentials. @default - AWS's own keys */
  readonly kmsKey?: string;
}

/** What one collection's schedule starts: a task definition, and the two roles it runs with. */
export class Task extends Construct {
  readonly family: string;
  readonly arn: string;
  readonly arnWithoutRevision: string;
  /** The role of the worker itself. */
  readonly roleArn: string;
  /** The role with which ECS prepares the container. */
  readonly executionRoleArn: string;

  constructor(scope: Construct, id: string, props: TaskProps) {
    super(scope, id);
    const { account, collection } = props;
    this.family = `${props.name}-${collection.name}`;
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
    const definition = new EcsTaskDefinition(this, "Default", {
      family: this.family,
      requiresCompatibilities: ["FARGATE"],
      networkMode: "awsvpc",
      runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: "ARM64" },
      cpu: `${props.cpu}`,
      memory: `${props.memory}`,
      taskRoleArn: this.roleArn,
      executionRoleArn: this.executionRoleArn,
      containerDefinitions: JSON.stringify([container(props)]),
      volume: [{ name: "scratch" }],
    });
    this.arn = definition.arn;
    this.arnWithoutRevision = definition.arnWithoutRevision;
  }
}

/** The container as ECS wants it. */
export function container(props: TaskProps): Record<string, unknown> {
  const { account, cluster, collection } = props;
  return {
    name: CONTAINER,
    image: props.image.uri,
    essential: true,
    readonlyRootFilesystem: true,
    user: USER,
    linuxParameters: { capabilities: { drop: ["ALL"] }, initProcessEnabled: true },
    mountPoints: [{ sourceVolume: "scratch", containerPath: SCRATCH, readOnly: false }],
    environment: [
      { name: "AWS_REGION", value: account.region },
      {
        name: variables.repositories,
        value: JSON.stringify(collection.repositories.map((one) => entry(one, props))),
      },
      { name: "TMPDIR", value: SCRATCH },
    ],
    secrets: secretsOf(props).map(({ variable, arn }) => ({ name: variable, valueFrom: arn })),
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": cluster.logGroup.name,
        "awslogs-region": account.region,
        "awslogs-stream-prefix": collection.name,
      },
    },
  };
}

/** One entry of the worker's REPOSITORIES. */
function entry(repository: Repository, { account, name, bucket }: TaskProps): Record<string, string> {
  const { url, branch } = repository;
  const place = placeOf(repository);
  return {
    gitRepo: url ?? `https://git-codecommit.${account.region}.${account.domain}/v1/repos/${repository.name}`,
    ...(branch && { gitBranch: branch }),
    parameterName: cursorOf(name, repository),
    resultsBucket: `${bucket.name}/${repository.name}`,
    ...(place && { gitHttpCredentials: place.variable }),
  };
}

/** The SSM parameter that holds a repository's cursor. The worker makes it; Terraform never touches it. */
function cursorOf(name: string, repository: Repository): string {
  return `/${name}/${repository.name}`;
}

/** The credentials that this collection needs, and no other's. */
function secretsOf({ collection, credentials }: TaskProps) {
  const needed = new Set(collection.repositories.map((repository) => placeOf(repository)?.variable));
  return [...credentials.all].flatMap(([variable, parameter]) =>
    needed.has(variable) ? [{ variable, ...parameter }] : [],
  );
}

function workerStatements({ account, name, collection, kmsKey }: TaskProps): Statement[] {
  const { repositories } = collection;
  return [
    {
      Sid: "Cursors",
      Effect: "Allow",
      Action: ["ssm:GetParameter", "ssm:PutParameter"],
      Resource: repositories.map((one) => account.arn("ssm", `parameter${cursorOf(name, one)}`)),
    },
    {
      Sid: "CodeCommit",
      Effect: "Allow",
      Action: ["codecommit:GitPull"],
      Resource: repositories.flatMap((one) => {
        const repository = codeCommitOf(one);
        return repository ? [account.arn("codecommit", repository.name, repository.region)] : [];
      }),
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
