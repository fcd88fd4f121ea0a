import { variables } from "../image/config/variables.ts";
import type { Account } from "./account.ts";
import type { Bucket } from "./bucket.ts";
import type { Cluster } from "./cluster.ts";
import type { Collection } from "./configuration.ts";
import { type Credentials, placeOf } from "./credentials.ts";
import type { Pulled } from "./ecr.ts";
import type { Repository } from "./repository.ts";

/** The one container of a task, as overrides name it. */
export const CONTAINER = "worker";

// A Fargate volume belongs to root unless the image has a VOLUME at this very path that belongs to the user below:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
const SCRATCH = "/scratch";
export const SCRATCH_VOLUME = "scratch";
const USER = "65532:65532";

export interface ContainerProps {
  readonly account: Account;
  /** The stack's name, with which every name begins. */
  readonly name: string;
  readonly collection: Collection;
  readonly image: Pulled;
  readonly cluster: Cluster;
  readonly bucket: Bucket;
  readonly credentials: Credentials;
}

/** The container as ECS wants it. */
export function container(props: ContainerProps): Record<string, unknown> {
  const { account, cluster, collection } = props;
  return {
    name: CONTAINER,
    image: props.image.uri,
    essential: true,
    readonlyRootFilesystem: true,
    user: USER,
    linuxParameters: { capabilities: { drop: ["ALL"] }, initProcessEnabled: true },
    mountPoints: [{ sourceVolume: SCRATCH_VOLUME, containerPath: SCRATCH, readOnly: false }],
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
function entry(repository: Repository, { account, name, bucket }: ContainerProps): Record<string, string> {
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
export function cursorOf(name: string, repository: Repository): string {
  return `/${name}/${repository.name}`;
}

/** The credentials that this collection needs, and no other's. */
export function secretsOf({ collection, credentials }: ContainerProps) {
  const needed = new Set(collection.repositories.map((repository) => placeOf(repository)?.variable));
  return [...credentials.all].flatMap(([variable, parameter]) =>
    needed.has(variable) ? [{ variable, ...parameter }] : [],
  );
}
