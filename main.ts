import { copyFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { App, TerraformElement, TerraformOutput, TerraformStack } from "cdktf";
import type { Node } from "constructs";
import { hashSources } from "./image/sources.ts";
import { Account } from "./modules/account.ts";
import { Alarms } from "./modules/alarms.ts";
import { consoleUrl, exampleQueries } from "./modules/athena.ts";
import { configureBackend } from "./modules/backend.ts";
import { Bucket } from "./modules/bucket.ts";
import { findCluster } from "./modules/cluster.ts";
import { runCommand, setCommand, showCommand, subscribeCommand } from "./modules/commands.ts";
import { type Configuration, read } from "./modules/configuration.ts";
import { ConfigurationError } from "./modules/configuration-error.ts";
import { readContext } from "./modules/context.ts";
import { CreatedRepositories } from "./modules/created-repositories.ts";
import { Credentials } from "./modules/credentials.ts";
import { drillOf } from "./modules/drill.ts";
import { Ecr } from "./modules/ecr.ts";
import { FlowLogs, type FlowLogsProps } from "./modules/flow-logs.ts";
import { prebuilt } from "./modules/image-reference.ts";
import { jsonSize } from "./modules/json-size.ts";
import { OnPush } from "./modules/on-push.ts";
import { pushedRepositories } from "./modules/pushed-repositories.ts";
import { describeRenames } from "./modules/renames.ts";
import { hasDiffs, hasMirror, type Repository } from "./modules/repository.ts";
import { bucketPolicy, bucketPolicyBytes, existingBucket, tablesPrefix } from "./modules/results.ts";
import { Schedule } from "./modules/schedule.ts";
import { ScheduleGroup } from "./modules/schedule-group.ts";
import { Tables } from "./modules/tables.ts";
import { Task } from "./modules/task.ts";
import { existingNetwork, type Network, Vpc } from "./modules/vpc.ts";

/** One deployment. */
export class GitDiff extends TerraformStack {
  /** The path of the construct at each address. */
  private readonly addresses = new Map<string, string>();
  readonly region: string;

  constructor(app: App, configuration: Configuration) {
    const { name, region, kmsKey, collections, logRetentionDays, lockDays } = configuration;
    super(app, name);
    this.region = region;
    // cdktn, the successor of cdktf, asks which versions it may write for; cdktf does not read this.
    this.node.setContext("targetVersions", { terraform: ">=1.11.0", opentofu: ">=1.11.0" });
    configureBackend(this, configuration);
    new AwsProvider(this, "aws", {
      region,
      // With credentials of another account, a plan stops before it reads anything.
      allowedAccountIds: configuration.account ? [configuration.account] : undefined,
      defaultTags: [{ tags: { "git-diff-to-s3": name, ...configuration.tags } }],
    });
    // From 6.40, which accepts the `blocked_encryption_types` that S3 reports of every new bucket since April 2026; before,
    // each plan wants to remove them. Up to the major version after the one that the bindings are generated for.
    this.addOverride("terraform.required_providers.aws.version", ">= 6.40.0, < 7.0.0");
    // For write-only arguments. Terraform and OpenTofu both support them since 1.11.
    this.addOverride("terraform.required_version", ">= 1.11.0");

    const repositories = collections.flatMap((collection) => collection.repositories);
    const account = new Account(this, "account", { region });
    const identity = { path: configuration.rolePath, permissionsBoundary: configuration.permissionsBoundary };
    const shared = { account, name, identity, kmsKey, logRetentionDays };
    const network = configuration.network
      ? existingNetwork(configuration.network)
      : this.network(configuration, repositories, shared);
    const cluster = findCluster(this, account, name, configuration.cluster);
    const hasTables = configuration.tables !== undefined && repositories.some(hasDiffs);
    const results = configuration.bucket
      ? existingBucket(configuration.bucket, lockDays)
      : new Bucket(this, "results", {
          name: `${name}-results-${account.id}`,
          accessLogs: configuration.accessLogs,
          retention: retentionOf(configuration.resultRetentionDays, repositories, hasTables),
          queried: hasTables,
          mirrors: repositories.some(hasMirror),
          lockDays,
          kmsKey,
        });
    const root = import.meta.dirname;
    const image =
      configuration.image === "build"
        ? new Ecr(this, "ecr", {
            account,
            name,
            tag: hashSources(root),
            context: relative(join(app.outdir, "stacks", name), root),
          })
        : prebuilt(configuration.image, account);
    new CreatedRepositories(this, "codecommit", {
      names: repositories.filter(({ create }) => create).map((repository) => repository.name),
    });
    const credentials = new Credentials(this, "credentials", { name, repositories, kmsKey });
    const group = new ScheduleGroup(this, "schedules", { name });
    const tables =
      configuration.tables && hasTables
        ? new Tables(this, "tables", { name, results, settings: configuration.tables, kmsKey })
        : undefined;
    const drills = collections.flatMap((collection) => drillOf(collection, lockDays) ?? []);
    const tasks = [...collections, ...drills].map((collection) => {
      const task = new Task(this, `task-${collection.name}`, {
        ...{ ...shared, collection, image, results, credentials, network, tables },
        certificates: configuration.certificates,
        decryptKeys: configuration.decryptKeys ?? [],
      });
      const started = { ...shared, collection, cluster, group, network, results, task };
      new Schedule(this, `schedule-${collection.name}`, started);
      const isPushed = collection.onPush && pushedRepositories(collection.repositories, region).length > 0;
      const onPush = isPushed ? new OnPush(this, `on-push-${collection.name}`, started) : undefined;
      return { collection, task, ruleArns: onPush?.ruleArns ?? [] };
    });
    group.acceptFrom(tasks.flatMap(({ ruleArns }) => ruleArns));
    const alarms = new Alarms(this, "alarms", {
      account,
      name,
      cluster,
      deadLetterQueue: group.deadLetters.name,
      tasks,
      notify: configuration.alarms,
      kmsKey,
    });

    const collecting = tasks.filter(({ collection }) => !collection.command);
    const drilling = tasks.filter(({ collection }) => collection.command);
    const policyFor = (count: number) =>
      bucketPolicy(
        account,
        results,
        repositories,
        { collect: rolesOf(collecting.slice(0, count)), drill: rolesOf(drilling.slice(0, count)) },
        hasTables,
      );
    const policy = configuration.bucket && policyFor(collections.length);
    this.node.addValidation({
      validate: () => {
        const bytes = policy ? jsonSize(policy) : 0;
        if (bytes <= bucketPolicyBytes) return [];
        let most = collections.length;
        while (jsonSize(policyFor(most)) > bucketPolicyBytes) most--;
        return [
          `the policy for the bucket ${results.name} has ${bytes} bytes, as it names the role of each collection; S3 allows ${bucketPolicyBytes}: use ${most} collections at most`,
        ];
      },
    });
    const byCollection = (value: (task: Task) => string) =>
      Object.fromEntries(tasks.map(({ collection, task }) => [collection.name, value(task)]));
    this.outputs({
      bucket_name: [
        "The bucket with the diffs, each repository's under its name",
        `${results.name}/${results.prefix}`.replace(/\/$/, ""),
      ],
      cluster_name: ["The ECS cluster that tasks run in", cluster.name],
      task_definitions: ["The task definition of each collection", byCollection((task) => task.arn)],
      subnet_ids: ["The subnets that tasks run in", network.subnetIds],
      security_group_ids: ["The security groups of tasks", network.securityGroupIds],
      image: ["The image that tasks run, by digest", image.uri],
      run_now: [
        "Commands that start a collection now, outside its schedule",
        byCollection((task) => runCommand(region, cluster.name, task.family, network)),
      ],
      subscribe_alarms: [
        "The command that subscribes an e-mail address to runs that failed, could not be started, or are missing",
        subscribeCommand(region, alarms.topicArn),
      ],
      set_credentials: [
        "Commands that set the user and password for a git host or a repository",
        Object.fromEntries(
          [...credentials.secrets.values()].flatMap(({ key, name }) =>
            name ? [[key, setCommand(region, name, kmsKey, "user:password")]] : [],
          ),
        ),
      ],
      ...(tables && {
        athena_console: [
          `The editor of queries: choose the workgroup ${name} and the database ${tables.database}`,
          consoleUrl(region),
        ],
        athena_queries: ["Queries to begin with", exampleQueries(tables.database)],
        ...(tables.peopleKey && {
          people_key: [
            "Commands that show the secret of people's hashes, to keep it, and set it: with another one, people have other hashes",
            {
              show: showCommand(region, tables.peopleKey.name),
              set: setCommand(region, tables.peopleKey.name, kmsKey, "KEY"),
            },
          ],
        }),
      }),
      ...(policy && {
        bucket_policy: ["What the policy of a bucket in another account has to allow", policy],
      }),
    });
  }

  /** Creates a network of the stack's own. */
  private network(
    { vpc, region }: Configuration,
    repositories: readonly Repository[],
    shared: Omit<FlowLogsProps, "vpcId">,
  ): Network {
    const { cidr = "10.0.0.0/24", flowLogs = false } = vpc ?? {};
    const network = new Vpc(this, "vpc", { name: shared.name, region, cidr, repositories });
    if (flowLogs) new FlowLogs(this, "flow-logs", { ...shared, vpcId: network.id });
    return network;
  }

  /**
   * Returns addresses such as `aws_subnet.vpc_public-a`, without the hash that CDKTF appends. CDKTF would silently merge
   * two constructs with the same address; this throws a ConfigurationError instead.
   */
  protected override allocateLogicalId(element: TerraformElement | Node): string {
    const { path } = TerraformElement.isTerraformElement(element) ? element.node : element;
    const parts = path
      .split("/")
      .slice(1)
      .filter((part) => part !== "Default");
    const id = parts.join("_").replace(/[^A-Za-z0-9_-]/g, "_");
    const address = `${element.constructor.name} ${id}`;
    const owner = this.addresses.get(address) ?? path;
    if (owner !== path) {
      throw new ConfigurationError(
        `gitDiff: ${owner} and ${path} would have the same address ${id}; rename one of them`,
      );
    }
    this.addresses.set(address, path);
    return id;
  }

  private outputs(outputs: Readonly<Record<string, readonly [description: string, value: unknown]>>): void {
    for (const [id, [description, value]] of Object.entries(outputs)) {
      new TerraformOutput(this, id, { description, value });
    }
  }
}

const rolesOf = (tasks: readonly { readonly task: Task }[]) => tasks.map(({ task }) => task.composedRoleArn);

/** Expires diffs alone where there are mirrors, which need all that they have. */
function retentionOf(days: number | undefined, repositories: readonly Repository[], hasTables: boolean) {
  if (days === undefined) return undefined;
  if (!repositories.some(hasMirror)) return { days, prefixes: undefined };
  const diffs = repositories.filter(hasDiffs).map(({ name }) => `${name}/`);
  return { days, prefixes: hasTables ? [...diffs, tablesPrefix] : diffs };
}

/** Adds the stacks that are configured. Throws one ConfigurationError that lists all problems, limits of AWS included. */
export function addStacks(app: App, gitDiff: unknown): readonly GitDiff[] {
  const { stacks, problems } = read(gitDiff);
  const added = stacks.map(({ root, configuration }) => ({ root, stack: new GitDiff(app, configuration) }));
  const sizes = added.flatMap(({ root, stack }) =>
    stack.node.findAll().flatMap(({ node }) => node.validate().map((message) => `${root}: ${message}`)),
  );
  if (problems.length + sizes.length > 0) throw ConfigurationError.of([...problems, ...sizes]);
  return added.map(({ stack }) => stack);
}

if (import.meta.main) {
  try {
    const app = new App({ context: readContext(join(import.meta.dirname, "cdktf.json")) });
    const stacks = addStacks(app, app.node.tryGetContext("gitDiff")).map(({ node, region }) => {
      const folder = join(app.outdir, "stacks", node.id);
      const template = join(folder, "cdk.tf.json");
      const before = existsSync(template) ? readFileSync(template, "utf8") : undefined;
      return { region, folder, template, before };
    });
    app.synth();
    const lock = join(import.meta.dirname, ".terraform.lock.hcl");
    for (const { region, folder, template, before } of stacks) {
      const renames = before ? describeRenames(before, readFileSync(template, "utf8"), region) : [];
      for (const rename of renames) console.error(rename);
      // `terraform init` adds its hashes to the copy. The copy stays until the committed file is newer.
      const copy = join(folder, ".terraform.lock.hcl");
      const copied = statSync(copy, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (copied < statSync(lock).mtimeMs) copyFileSync(lock, copy);
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
