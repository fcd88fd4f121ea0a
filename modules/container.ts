import { variables } from "../image/config/variables.ts";
import type { Account } from "./account.ts";
import type { Collection } from "./collection.ts";
import { type Credentials, credentialOf, type Secret } from "./credentials.ts";
import type { ImageReference } from "./image-reference.ts";
import { hasDiffs, type Repository } from "./repository.ts";
import { type Results, tablesPlace } from "./results.ts";
import type { Tables } from "./tables.ts";
import type { Network } from "./vpc.ts";

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
  /** Name of the log group. */
  readonly logGroup: string;
  readonly results: Results;
  readonly credentials: Credentials;
  readonly network: Network;
  /** @default - no tables */
  readonly tables?: Tables;
  /** Certificates in PEM of authorities that hosts and AWS may have theirs from, beside the usual ones. */
  readonly certificates?: string;
}

/** The worker's variable for each key of a collection that is one. */
const settingVariables = {
  concurrency: variables.concurrency,
  timeoutSeconds: variables.timeoutSeconds,
  hostConcurrency: variables.hostConcurrency,
  hostRequestsPerSecond: variables.hostRequestsPerSecond,
  maxDiffBytes: variables.maxDiffBytes,
  maxPackBytes: variables.maxPackBytes,
  onGoneCommit: variables.onGoneCommit,
  binary: variables.binary,
} as const;
// ECS answers with these where they are left out. The AWS provider takes a missing `add` for a change, in every plan,
// and shows the others as removed whenever the task does change:
// https://github.com/cds-snc/forms-terraform/pull/709
const ECS_DEFAULTS = { portMappings: [], systemControls: [], volumesFrom: [] };
const NO_CAPABILITIES = { add: [], drop: ["ALL"] };

/** Returns the container definition, in the form of the ECS API. */
export function containerDefinition(props: ContainerProps): Record<string, unknown> {
  const { collection } = props;
  return {
    ...ECS_DEFAULTS,
    name: CONTAINER,
    image: props.image.uri,
    essential: true,
    ...(collection.command && { command: collection.command }),
    readonlyRootFilesystem: true,
    // Seconds. The worker needs up to 25 to withdraw uploads and release claims.
    stopTimeout: 30,
    user: USER,
    linuxParameters: { capabilities: NO_CAPABILITIES, initProcessEnabled: true },
    mountPoints: [{ sourceVolume: SCRATCH_VOLUME, containerPath: SCRATCH, readOnly: false }],
    environment: environment(props),
    secrets: collectionSecrets(props).map(({ variable, arn }) => ({ name: variable, valueFrom: arn })),
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": props.logGroup,
        "awslogs-region": props.account.region,
        "awslogs-stream-prefix": collection.name,
      },
    },
  };
}

/** Returns the worker's variables, sorted by name: what is not set has the worker's own default. */
function environment(props: ContainerProps): { name: string; value: string }[] {
  const { account, collection, certificates, network, results } = props;
  const tables = collectionTables(props)?.settings;
  const proxy = network.proxy?.startsWith("arn:") ? undefined : network.proxy;
  const values: Record<string, string | number | boolean | undefined> = {
    AWS_REGION: account.region,
    TMPDIR: SCRATCH,
    [variables.authorities]: certificates,
    [variables.awsAuthorities]: certificates,
    HTTPS_PROXY: proxy,
    NO_PROXY: network.noProxy?.join(","),
    [variables.onPush]: collection.onPush || undefined,
    ...(tables && {
      [variables.tablesBucket]: tablesPlace(results),
      [variables.collection]: collection.name,
      [variables.people]: tables.people === "hash" ? undefined : tables.people,
      [variables.tablesHunks]: tables.hunks || undefined,
    }),
    [variables.repositories]: JSON.stringify(
      collection.repositories.map((repository) => workerEntry(repository, props)),
    ),
  };
  for (const key of Object.keys(settingVariables) as (keyof typeof settingVariables)[]) {
    values[settingVariables[key]] = collection[key];
  }
  return Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [{ name, value: `${value}` }]))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns one entry of the worker's REPOSITORIES. */
function workerEntry(
  repository: Repository,
  { account, name, results }: ContainerProps,
): Record<string, unknown> {
  const { url, branch, collect, refs, lfs, archiveRefs } = repository;
  const credential = credentialOf(repository);
  return {
    gitRepo: url ?? `https://git-codecommit.${account.region}.${account.domain}/v1/repos/${repository.name}`,
    ...(branch && { gitBranch: branch }),
    parameterName: cursorName(name, repository),
    resultsBucket: `${results.name}/${results.prefix}${repository.name}`,
    ...(credential && { gitHttpCredentials: credential.variable }),
    ...(collect && { collect }),
    ...(refs && { refs }),
    ...(lfs !== undefined && { lfs }),
    ...(archiveRefs && { archiveRefs }),
  };
}

/** Returns the name of a repository's cursor in Parameter Store. The worker creates it; Terraform does not manage it. */
export function cursorName(name: string, repository: Repository): string {
  return `/${name}/${repository.name}`;
}

/** Returns the tables that a collection adds to: the stack's, where it has diffs. */
export const collectionTables = ({ collection, tables }: Pick<ContainerProps, "collection" | "tables">) =>
  collection.repositories.some(hasDiffs) ? tables : undefined;

/** Returns the secrets that this collection needs, sorted by their variables. */
export function collectionSecrets({
  collection,
  credentials,
  network,
  tables,
}: Pick<ContainerProps, "collection" | "credentials" | "network" | "tables">): (Secret & {
  variable: string;
})[] {
  const needed = new Set(collection.repositories.map((repository) => credentialOf(repository)?.variable));
  const secrets = [...credentials.secrets].flatMap(([variable, secret]) =>
    needed.has(variable) ? [{ variable, ...secret }] : [],
  );
  const { proxy } = network;
  const peopleKey = collectionTables({ collection, tables })?.peopleKey;
  return [
    ...secrets,
    ...(proxy?.startsWith("arn:") ? [{ variable: "HTTPS_PROXY", key: proxy, arn: proxy }] : []),
    ...(peopleKey ? [{ variable: variables.peopleKey, key: "people", arn: peopleKey.arn }] : []),
  ];
}
