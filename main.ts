import { copyFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { CodecommitRepository } from "@cdktf/provider-aws/lib/codecommit-repository";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { App, TerraformElement, TerraformOutput, TerraformStack } from "cdktf";
import type { Node } from "constructs";
import cdktf from "./cdktf.json";
import { hashSources } from "./image/sources.ts";
import { Account } from "./modules/account.ts";
import { Alarms } from "./modules/alarms.ts";
import { configureBackend } from "./modules/backend.ts";
import { Bucket } from "./modules/bucket.ts";
import { Cluster } from "./modules/cluster.ts";
import { runCommand, setCommand, subscribeCommand } from "./modules/commands.ts";
import { type Configuration, parse } from "./modules/configuration.ts";
import { ConfigurationError } from "./modules/configuration-error.ts";
import { Credentials } from "./modules/credentials.ts";
import { Ecr } from "./modules/ecr.ts";
import { prebuilt } from "./modules/image-reference.ts";
import { Schedule } from "./modules/schedule.ts";
import { isDaily } from "./modules/schedule-expression.ts";
import { ScheduleGroup } from "./modules/schedule-group.ts";
import { Task } from "./modules/task.ts";
import { existingNetwork, Vpc } from "./modules/vpc.ts";

/** One deployment. */
export class GitDiff extends TerraformStack {
  /** The path of the construct at each address. */
  private readonly addresses = new Map<string, string>();

  constructor(app: App, configuration: Configuration) {
    const { name, region, kmsKey, cpu, memory, collections } = configuration;
    super(app, name);
    // cdktn, the successor of cdktf, asks which versions it may write for; cdktf does not read this.
    this.node.setContext("targetVersions", { terraform: ">=1.11.0", opentofu: ">=1.11.0" });
    configureBackend(this, configuration);
    new AwsProvider(this, "aws", {
      region,
      defaultTags: [{ tags: { "git-diff-to-s3": name, ...configuration.tags } }],
    });
    // From 6.40, which accepts the `blocked_encryption_types` that S3 reports of every new bucket since April 2026; before,
    // each plan wants to remove them. Up to the major version after the one that the bindings are generated for.
    this.addOverride("terraform.required_providers.aws.version", ">= 6.40.0, < 7.0.0");
    // For write-only arguments. Terraform and OpenTofu both support them since 1.11.
    this.addOverride("terraform.required_version", ">= 1.11.0");

    const repositories = collections.flatMap((collection) => collection.repositories);
    const account = new Account(this, "account", { region });
    const network = configuration.network
      ? existingNetwork(configuration.network)
      : new Vpc(this, "vpc", { name, region, repositories });
    const cluster = new Cluster(this, "cluster", { name, logRetentionDays: configuration.logRetentionDays });
    const bucket = new Bucket(this, "results", {
      name: `${name}-results-${account.id}`,
      retentionDays: configuration.resultRetentionDays,
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
    for (const repository of repositories.filter(({ create }) => create)) {
      new CodecommitRepository(this, `codecommit-${repository.name}`, { repositoryName: repository.name });
    }
    const credentials = new Credentials(this, "credentials", { name, repositories, kmsKey });
    const group = new ScheduleGroup(this, "schedules", { name });
    const tasks = collections.map((collection) => {
      const shared = { account, collection, cluster };
      const task = new Task(this, `task-${collection.name}`, {
        ...shared,
        name,
        cpu,
        memory,
        image,
        bucket,
        credentials,
        kmsKey,
      });
      new Schedule(this, `schedule-${collection.name}`, { ...shared, group, network, task });
      return { collection: collection.name, task };
    });
    bucket.grant(tasks.map(({ task }) => task.roleArn));
    const alarms = new Alarms(this, "alarms", {
      account,
      name,
      cluster,
      deadLetterQueue: group.deadLetters.name,
      daily: collections.some(({ schedule }) => isDaily(schedule)),
    });

    const byCollection = (value: (task: Task) => string) =>
      Object.fromEntries(tasks.map(({ collection, task }) => [collection, value(task)]));
    this.outputs({
      bucket_name: ["The bucket with the diffs, each repository's under its name", bucket.name],
      cluster_name: ["The ECS cluster that tasks run in", cluster.name],
      task_definitions: ["The task definition of each collection", byCollection((task) => task.arn)],
      subnet_ids: ["The subnets that tasks run in", network.subnetIds],
      security_group_ids: ["The security groups of tasks", network.securityGroupIds],
      image: ["The image that tasks run, by digest", image.uri],
      run_now: [
        "Commands that start a collection now, outside its schedule",
        byCollection((task) => runCommand(region, cluster.name, task.arn, network)),
      ],
      subscribe_alarms: [
        "The command that subscribes an e-mail address to failed runs, runs that cannot be started, and days without a run",
        subscribeCommand(region, alarms.topicArn),
      ],
      set_credentials: [
        "Commands that set the user and password for a git host or a repository",
        Object.fromEntries(
          [...credentials.parameters.values()].map((parameter) => [
            parameter.key,
            setCommand(region, parameter.name, kmsKey),
          ]),
        ),
      ],
    });
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

if (import.meta.main) {
  try {
    const app = new App({ context: cdktf.context });
    const stack = new GitDiff(app, parse(app.node.tryGetContext("gitDiff")));
    app.synth();
    // `terraform init` adds its hashes to the copy. The copy stays until the committed file is newer.
    const lock = join(import.meta.dirname, "terraform.lock.hcl");
    const copy = join(app.outdir, "stacks", stack.node.id, ".terraform.lock.hcl");
    const copied = statSync(copy, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (copied < statSync(lock).mtimeMs) copyFileSync(lock, copy);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
