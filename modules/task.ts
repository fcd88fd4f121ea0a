import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { EcsTaskDefinition } from "@cdktf/provider-aws/lib/ecs-task-definition";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { Account } from "./account.ts";
import {
  type ContainerProps,
  collectionSecrets,
  collectionTables,
  containerDefinition,
  cursorName,
  SCRATCH_VOLUME,
} from "./container.ts";
import { type IdentitySettings, Role, type Statement } from "./iam.ts";
import { jsonSize } from "./json-size.ts";
import { codeCommitOf, type Repository } from "./repository.ts";
import { drillStatements, resultStatements, tableObjects } from "./results.ts";

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html: 64 KiB for a task definition. All but
// a few names, numbers and tags is the container definition.
const CONTAINER_BYTES = 62 * 1024;

export interface TaskProps extends Omit<ContainerProps, "logGroup"> {
  readonly identity: IdentitySettings;
  /** Days: one of the values that CloudWatch Logs offers. */
  readonly logRetentionDays: number;
  /** ARN of the KMS key that encrypts results, credentials and logs. @default - AWS's own keys */
  readonly kmsKey?: string;
  /** ARNs of the keys that encrypted them before, and that encrypt secrets that exist already. */
  readonly decryptKeys: readonly string[];
}

/** The task of one collection: a task definition, its two roles and its log group. */
export class Task extends Construct {
  /** The name of the task definition. ECS starts its newest revision. */
  readonly family: string;
  readonly arn: string;
  /** Name of the log group. */
  readonly logGroup: string;
  /** What has to be there before the task is started. */
  readonly parts: readonly ITerraformDependable[];
  /** The role of the worker itself. */
  readonly roleArn: string;
  /** Its ARN, composed instead of read from the role: the length is known during synthesis. */
  readonly composedRoleArn: string;
  /** The role with which ECS pulls the image, reads the credentials and writes the log. */
  readonly executionRoleArn: string;

  constructor(scope: Construct, id: string, props: TaskProps) {
    super(scope, id);
    const { account, collection } = props;
    this.family = `${props.name}-${collection.name}`;
    // One for each collection, so that an alarm sees which of them is silent.
    const logGroup = new CloudwatchLogGroup(this, "log", {
      name: `/ecs/${props.name}/${collection.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.kmsKey,
    });
    this.logGroup = logGroup.name;
    const containers = JSON.stringify([containerDefinition({ ...props, logGroup: logGroup.name })]);
    const bytes = jsonSize(containers);
    const needs = `collection "${collection.name}" has ${collection.repositories.length} repositories, which need ${bytes} bytes in the task definition`;
    const parts = Math.ceil(bytes / CONTAINER_BYTES);
    this.node.addValidation({
      validate: () =>
        parts > 1
          ? [
              `${needs}; ECS allows ${CONTAINER_BYTES}: distribute them over at least ${parts} collections (gitDiff.collections)`,
            ]
          : [],
    });
    const shared = {
      identity: props.identity,
      service: "ecs-tasks.amazonaws.com",
      trust: {
        StringEquals: { "aws:SourceAccount": account.id },
        // Not the cluster's ARN, which does not work here according to the documentation:
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
        ArnLike: { "aws:SourceArn": account.arn("ecs", "*") },
      },
    };
    const roleName = `${this.family}-task`;
    const worker = new Role(this, "worker", {
      name: roleName,
      description: `git-diff-to-s3: the worker of collection ${collection.name}`,
      ...shared,
      statements: workerStatements(props),
    });
    const execution = new Role(this, "execution", {
      name: `${this.family}-execution`,
      description: `git-diff-to-s3: ECS starts collection ${collection.name}`,
      ...shared,
      statements: executionStatements(props, logGroup.arn),
    });
    this.roleArn = worker.arn;
    this.composedRoleArn = account.arn("iam", `role${props.identity.path ?? "/"}${roleName}`, "");
    this.executionRoleArn = execution.arn;
    const permissions = [...worker.permissions, ...execution.permissions];
    const definition = new EcsTaskDefinition(this, "Default", {
      family: this.family,
      requiresCompatibilities: ["FARGATE"],
      networkMode: "awsvpc",
      runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: "ARM64" },
      cpu: `${collection.cpu}`,
      memory: `${collection.memory}`,
      ephemeralStorage: collection.diskGiB ? { sizeInGib: collection.diskGiB } : undefined,
      taskRoleArn: this.roleArn,
      executionRoleArn: this.executionRoleArn,
      containerDefinitions: containers,
      volume: [{ name: SCRATCH_VOLUME }],
      // Old revisions stay. Deregistered, they would still be those of running tasks, and of starts that are retried.
      skipDestroy: true,
      // First the new revision, then what only the old one needed goes, such as a credential.
      lifecycle: { createBeforeDestroy: true },
      // From the moment that there is a new revision, ECS starts it.
      dependsOn: permissions,
    });
    this.arn = definition.arn;
    this.parts = [definition, ...permissions];
  }
}

function workerStatements(props: TaskProps): Statement[] {
  const { account, results, collection, kmsKey, decryptKeys } = props;
  return [
    ...(collection.command
      ? drillStatements(account, results, collection.repositories)
      : collectStatements(props)),
    {
      Sid: "ResultsKey",
      Effect: "Allow",
      // Decrypt too: S3 reads the parts of a multipart upload to combine them.
      Action: ["kms:Decrypt", "kms:GenerateDataKey"],
      Resource: kmsKey ? [kmsKey] : [],
      Condition: { StringEquals: { "kms:ViaService": `s3.${account.region}.${account.domain}` } },
    },
    {
      Sid: "FurtherResultsKeys",
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: decryptKeys,
      Condition: { StringEquals: { "kms:ViaService": `s3.${account.region}.${account.domain}` } },
    },
  ];
}

function collectStatements(props: TaskProps): Statement[] {
  const { account, name, results, collection } = props;
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
    ...resultStatements(
      account,
      results,
      repositories,
      collectionTables(props) ? tableObjects(collection.name) : [],
    ),
    {
      Sid: "CodeCommit",
      Effect: "Allow",
      Action: ["codecommit:GitPull"],
      Resource: codeCommitArns(account, repositories),
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

function executionStatements(props: TaskProps, logGroupArn: string): Statement[] {
  const { account, collection, image, kmsKey } = props;
  const secrets = collectionSecrets(props);
  const [managed, parameters] = partition(secrets, ({ arn }) => arn.includes(":secretsmanager:"));
  const services = [
    ...(parameters.length > 0 ? ["ssm"] : []),
    ...(managed.length > 0 ? ["secretsmanager"] : []),
  ];
  return [
    {
      Sid: "Log",
      Effect: "Allow",
      Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
      Resource: [`${logGroupArn}:log-stream:${collection.name}/*`],
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
      Resource: parameters.map(({ name, arn }) => (name ? account.arn("ssm", `parameter${name}`) : arn)),
    },
    {
      Sid: "ReadSecrets",
      Effect: "Allow",
      Action: ["secretsmanager:GetSecretValue"],
      // Without the JSON key and the version that may follow the name.
      Resource: managed.map(({ arn }) => arn.split(":").slice(0, 7).join(":")),
    },
    {
      Sid: "CredentialsKey",
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: secrets.length > 0 ? [...(kmsKey ? [kmsKey] : []), ...props.decryptKeys] : [],
      Condition: {
        StringEquals: {
          "kms:ViaService": services.map((service) => `${service}.${account.region}.${account.domain}`),
        },
      },
    },
  ];
}

function partition<T>(items: readonly T[], matches: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(matches), items.filter((item) => !matches(item))];
}
