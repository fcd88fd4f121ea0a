import { variables } from "../image/config/variables.ts";
import type { Account } from "./account.ts";
import type { Bucket } from "./bucket.ts";
import type { Cluster } from "./cluster.ts";
import type { Collection } from "./configuration.ts";
import { type Credentials, credentialOf } from "./credentials.ts";
import type { ImageReference } from "./image-reference.ts";
import type { Repository } from "./repository.ts";

/** Name of the task's only container. */
export const CONTAINER = "worker";

// A Fargate volume belongs to root, unless the image declares a VOLUME at this path that belongs to the user below:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
const SCRATCH = "/scratch";
export const SCRATCH_VOLUME = "scratch";
const USER = "65532:65532";

export interface ContainerProps {
  readonly account: Account;
  /** The stack's name, which is the prefix of all names. */
  readonly name: string;
  readonly collection: Collection;
  readonly image: ImageReference;
  readonly cluster: Cluster;
  readonly bucket: Bucket;
  readonly credentials: Credentials;
}

// ECS answers with these where they are left out. The AWS provider takes a missing `add` for a change, in every plan,
// and shows the others as removed whenever the task does change:
// https://github.com/cds-snc/forms-terraform/pull/709
const ECS_DEFAULTS = { portMappings: [], systemControls: [], volumesFrom: [] };
const NO_CAPABILITIES = { add: [], drop: ["ALL"] };

/** Returns the container definition, in the form of the ECS API. */
export function containerDefinition(props: ContainerProps): Record<string, unknown> {
  const { account, cluster, collection } = props;
  return {
    ...ECS_DEFAULTS,
    name: CONTAINER,
    image: props.image.uri,
    essential: true,
    readonlyRootFilesystem: true,
    // Seconds. The worker needs up to 25 to withdraw uploads and release claims.
    stopTimeout: 30,
    user: USER,
    linuxParameters: { capabilities: NO_CAPABILITIES, initProcessEnabled: true },
    mountPoints: [{ sourceVolume: SCRATCH_VOLUME, containerPath: SCRATCH, readOnly: false }],
    environment: [
      { name: "AWS_REGION", value: account.region },
      {
        name: variables.repositories,
        value: JSON.stringify(collection.repositories.map((repository) => workerEntry(repository, props))),
      },
      { name: "TMPDIR", value: SCRATCH },
    ],
    secrets: collectionSecrets(props).map(({ variable, arn }) => ({ name: variable, valueFrom: arn })),
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

/** Returns one entry of the worker's REPOSITORIES. */
function workerEntry(
  repository: Repository,
  { account, name, bucket }: ContainerProps,
): Record<string, string> {
  const { url, branch } = repository;
  const credential = credentialOf(repository);
  return {
    gitRepo: url ?? `https://git-codecommit.${account.region}.${account.domain}/v1/repos/${repository.name}`,
    ...(branch && { gitBranch: branch }),
    parameterName: cursorName(name, repository),
    resultsBucket: `${bucket.name}/${repository.name}`,
    ...(credential && { gitHttpCredentials: credential.variable }),
  };
}

/** Returns the name of a repository's cursor in Parameter Store. The worker creates it; Terraform does not manage it. */
export function cursorName(name: string, repository: Repository): string {
  return `/${name}/${repository.name}`;
}

/** Returns the credentials that this collection needs. */
export function collectionSecrets({ collection, credentials }: ContainerProps) {
  const needed = new Set(collection.repositories.map((repository) => credentialOf(repository)?.variable));
  return [...credentials.parameters].flatMap(([variable, parameter]) =>
    needed.has(variable) ? [{ variable, ...parameter }] : [],
  );
}
