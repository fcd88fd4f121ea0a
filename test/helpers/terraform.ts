import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import { GitDiff } from "../../main.ts";
import { parse } from "../../modules/configuration.ts";
import type { Aws } from "./aws.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams, for messages. */
  readonly output: string;
}

/** Runs a program to its end. */
export async function run(
  command: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly environment: Readonly<Record<string, string>> },
): Promise<Ended> {
  const [program, ...args] = command;
  const environment = { ...process.env, ...options.environment };
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, output] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  return { status, stdout, output };
}

/** An environment in which Terraform uses the emulated AWS, and a provider on this computer if there is one. */
export async function terraformEnvironment(emulated: Aws, folder: string): Promise<Record<string, string>> {
  const mirror = await pluginMirror();
  const configuration = join(folder, "terraform.rc");
  const aws = "registry.terraform.io/hashicorp/aws";
  writeFileSync(
    configuration,
    mirror
      ? `provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(mirror)}
    include = ["${aws}"]
  }
  direct { exclude = ["${aws}"] }
}\n`
      : "",
  );
  return {
    TF_CLI_CONFIG_FILE: configuration,
    TF_IN_AUTOMATION: "1",
    CHECKPOINT_DISABLE: "1",
    ...emulated.environment,
    AWS_ENDPOINT_URL: emulated.motoEndpoint,
  };
}

/** The folder of a provider mirror that has the AWS provider: Terraform's own places first, then the whole disk. */
async function pluginMirror(): Promise<string | undefined> {
  const places = [
    join(homedir(), ".terraform.d/plugins"),
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
  ];
  for (const place of [...places.filter(existsSync), "/"]) {
    const search = [
      "-xdev",
      "-path",
      "/proc",
      "-prune",
      "-o",
      "-type",
      "f",
      "-name",
      "terraform-provider-aws_v*",
      "-print",
    ];
    const { stdout } = await run(["find", place, ...search], { cwd: "/", environment: {} });
    // <mirror>/<registry>/hashicorp/aws/<version>/<platform>/terraform-provider-aws_...; caches below .terraform are no mirrors.
    const found = stdout
      .split("\n")
      .find((path) => /^(?!.*\/\.terraform\/).*\/[\w.-]+\/hashicorp\/aws\//.test(path));
    if (found) return found.split("/").slice(0, -6).join("/");
  }
  return undefined;
}

/** A configuration that says its name. */
export interface Named {
  readonly name: string;
  readonly [key: string]: unknown;
}

/** A line of a plan. */
export interface Change {
  readonly address: string;
  readonly mode: string;
  readonly change: { readonly actions: readonly string[]; readonly after: unknown };
}

/** One configuration in a folder of its own, and Terraform in it. */
export class Deployment {
  private readonly folder = mkdtempSync(join(tmpdir(), "git-diff-stack-"));
  private readonly name: string;

  constructor(
    gitDiff: Named,
    private readonly environment: Readonly<Record<string, string>>,
  ) {
    this.name = gitDiff.name;
    this.synthesise(gitDiff);
  }

  /** Writes what Terraform is to do, in place of what it was to do before. */
  synthesise(gitDiff: Named): void {
    const app = new App({ outdir: join(this.folder, "cdktf.out") });
    new GitDiff(app, parse(gitDiff));
    app.synth();
  }

  /** What Terraform would do, by address; what stays as it is is left out. */
  async plan(): Promise<Change[]> {
    await this.terraform(["plan", "-input=false", "-no-color", "-out=planned"]);
    const { resource_changes } = JSON.parse(await this.terraform(["show", "-json", "planned"]));
    return resource_changes.filter(
      ({ mode, change }: Change) => mode === "managed" && change.actions[0] !== "no-op",
    );
  }

  /** Runs Terraform. Anything but the status that is expected throws what Terraform said. */
  async terraform(args: readonly string[], status = 0): Promise<string> {
    const cwd = join(this.folder, "cdktf.out", "stacks", this.name);
    const ended = await run(["terraform", ...args], { cwd, environment: this.environment });
    if (ended.status === status) return ended.stdout;
    throw new Error(
      `terraform ${args.join(" ")} ended with ${ended.status}, not ${status}:\n${ended.output}`,
    );
  }

  async init(): Promise<void> {
    await this.terraform(["init", "-input=false", "-no-color"]);
    await this.terraform(["validate", "-no-color"]);
  }

  /** Plans, and applies that very plan. */
  async apply(): Promise<void> {
    await this.terraform(["plan", "-input=false", "-no-color", "-detailed-exitcode", "-out=planned"], 2);
    await this.terraform(["apply", "-input=false", "-no-color", "planned"]);
  }

  /** Plans once more, and throws what would change if anything would. */
  async planNothing(): Promise<void> {
    await this.terraform(["plan", "-input=false", "-no-color", "-detailed-exitcode"]);
  }

  async destroy(): Promise<void> {
    await this.terraform(["destroy", "-auto-approve", "-input=false", "-no-color"]);
  }

  async outputs(): Promise<Record<string, { value: never }>> {
    return JSON.parse(await this.terraform(["output", "-json"]));
  }

  /** The state as Terraform wrote it down, secrets included. */
  get state(): string {
    return readFileSync(join(this.folder, `terraform.${this.name}.tfstate`), "utf8");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Says which of these programs this computer lacks, by name and with how to get it; nothing when it has them all. Where
 * REQUIRE_ALL=1 says that there is no excuse, that is an error.
 */
export function lacking(programs: Readonly<Record<string, string>>): string | undefined {
  const missing = Object.entries(programs).filter(([program]) => !Bun.which(program));
  if (missing.length === 0) return undefined;
  const message = missing.map(([program, remedy]) => `needs ${program}: ${remedy}`).join("; ");
  if (process.env.REQUIRE_ALL === "1") throw new Error(message);
  return message;
}
