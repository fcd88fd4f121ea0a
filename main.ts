import { join, relative } from "node:path";
import { CodecommitRepository } from "@cdktf/provider-aws/lib/codecommit-repository";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { App, TerraformElement, TerraformOutput, TerraformStack } from "cdktf";
import type { Node } from "constructs";
import cdktf from "./cdktf.json";
import { Account } from "./modules/account.ts";
import { Alarms } from "./modules/alarms.ts";
import { keepState } from "./modules/backend.ts";
import { Bucket } from "./modules/bucket.ts";
import { Cluster } from "./modules/cluster.ts";
import { runCommand, setCommand, subscribeCommand } from "./modules/commands.ts";
import { type Configuration, ConfigurationError, parse } from "./modules/configuration.ts";
import { Credentials } from "./modules/credentials.ts";
import { contentHash, Ecr, prebuilt, SOURCES } from "./modules/ecr.ts";
import { isDaily } from "./modules/expression.ts";
import { Schedule } from "./modules/schedule.ts";
import { ScheduleGroup } from "./modules/schedule-group.ts";
import { Task } from "./modules/task.ts";
import { existing, Vpc } from "./modules/vpc.ts";

/** Everything that one deployment consists of. */
export class GitDiff extends TerraformStack {
  /** Which construct has which address. */
  private readonly addresses = new Map<string, string>();

  constructor(app: App, configuration: Configuration) {
    const { name, region, kmsKey, cpu, memory, collections } = configuration;
    super(app, name);
    keepState(this, configuration);
    new AwsProvider(this, "aws", {
      region,
      defaultTags: [{ tags: { "git-diff-to-s3": name, ...configuration.tags } }],
    });
    // From the oldest provider that the tests run with, to the end of the major version that the bindings were made for.
    this.addOverride("terraform.required_providers.aws.version", ">= 5.100.0, < 7.0.0");
    // Write-only values: Terraform 1.11 as well as OpenTofu 1.11.
    this.addOverride("terraform.required_version", ">= 1.11.0");

    const repositories = collections.flatMap((collection) => collection.repositories);
    const account = new Account(this, "account", { region });
    const network = configuration.network
      ? existing(configuration.network)
      : new Vpc(this, "vpc", { name, region, repositories });
    const cluster = new Cluster(this, "cluster", { name, logRetentionDays: configuration.logRetentionDays });
    const bucket = new Bucket(this, "results", {
      name: `${name}-results-${account.id}`,
      keepDays: configuration.resultRetentionDays,
      kmsKey,
    });
    const root = import.meta.dirname;
    const image =
      configuration.image === "build"
        ? new Ecr(this, "ecr", {
            account,
            name,
            tag: contentHash(root, SOURCES),
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
      deadLetters: group.deadLetters.name,
      daily: collections.some(({ schedule }) => isDaily(schedule)),
    });

    const byCollection = (value: (task: Task) => string) =>
      Object.fromEntries(tasks.map(({ collection, task }) => [collection, value(task)]));
    this.outputs({
      bucket_name: ["Where the diffs are, each repository's below its name", bucket.name],
      cluster_name: ["The ECS cluster that tasks run in", cluster.name],
      task_definitions: ["The task definition of each collection", byCollection((task) => task.arn)],
      subnet_ids: ["The subnets that tasks run in", network.subnetIds],
      security_group_ids: ["The security groups of tasks", network.securityGroupIds],
      image: ["The image that tasks run, by digest", image.uri],
      run_now: [
        "Starts a collection now, outside its schedule",
        byCollection((task) => runCommand(region, cluster.name, task.arn, network)),
      ],
      tell_me: [
        "Has an e-mail sent of a run that fails or cannot be started, and of a day without any",
        subscribeCommand(region, alarms.topicArn),
      ],
      set_credentials: [
        "Sets the user and password for a git host or a repository",
        Object.fromEntries(
          [...credentials.all.values()].map((one) => [one.key, setCommand(region, one.name, kmsKey)]),
        ),
      ],
    });
  }

  /**
   * Addresses such as `aws_subnet.vpc_public-a`, without the hash that CDKTF ends them in. Two constructs with one
   * address CDKTF would merge without a word, hence the error.
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
        `gitDiff: ${owner} and ${path} would share the address ${id}; rename one of them`,
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
    new GitDiff(app, parse(app.node.tryGetContext("gitDiff")));
    app.synth();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
