import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { copyProject } from "../fixtures/project.ts";
import { run } from "../fixtures/terraform.ts";

// Installs a second set of packages: a minute, and more where npm's cache is empty.
setDefaultTimeout(600_000);
const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "git-diff-successor-"));
const project = join(folder, "project");
let path: string;
let before: string;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every kind of resource. */
const gitDiff = {
  region: "eu-west-1",
  kmsKey: "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555",
  resultRetentionDays: 90,
  state: { bucket: "acme-terraform" },
  tags: { team: "platform" },
  collections: [
    {
      name: "daily",
      repositories: [
        { name: "web", url: "https://git.acme.com/web.git", credentials: "host" },
        { name: "new", create: true },
      ],
    },
    {
      name: "hourly",
      schedule: "rate(1 hour)",
      repositories: [{ name: "app", url: "https://git.acme.com/app.git", credentials: "repository" }],
    },
  ],
};

beforeAll(async () => {
  path = [...(await newerNode()), process.env.PATH].join(delimiter);
  copyProject(project);
  const file = join(project, "cdktf.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), context: { gitDiff } }));
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"));
  before = await synthesised("npm", "run", "synth");
  rmSync(join(project, "node_modules"));
  await sh("bash", "-euc", documentedSwitch());
});

test("can be installed again, from the lock file that it wrote", async () => {
  await sh("npm", "ci", "--dry-run");
});

test("has the same types", async () => {
  await sh("node_modules/.bin/tsc", "-p", ".");
});

test("gives Terraform what cdktf gives", async () => {
  const after = await synthesised("npm", "run", "synth");
  const [old, successor] = [comparable(before), comparable(after)];
  expect(successor.template).toEqual(old.template);
  // What is left out of the comparison is there, so that nothing else hides behind it.
  expect([old.version, successor.version]).toEqual(["0.21.0", "0.24.0"]);
  expect([old.source, successor.source]).toEqual(["aws", "hashicorp/aws"]);
  expect(successor.tag).not.toBe(old.tag);
});

test("gives the same bytes by its command line", async () => {
  const after = await synthesised("npm", "run", "synth");
  expect(await synthesised("node_modules/.bin/cdktn", "synth")).toBe(after);
  for (const script of ["plan", "deploy", "destroy"]) {
    expect(await sh("npm", "run", script, "--", "--help")).toContain("cdktn");
  }
});

/** The commands in the documentation that switch to the successor. */
function documentedSwitch(): string {
  const page = readFileSync(join(root, "docs/terraform.md"), "utf8");
  const [, block] = /^## CDKTF and CDK Terrain\n[^#]*?^```sh\n(.*?)^```/ms.exec(page) ?? [];
  if (!block) throw new Error("docs/terraform.md has no commands below its heading CDKTF and CDK Terrain");
  return block;
}

/** Runs a command in the copy. Returns what it prints. @throws with that if it fails */
async function sh(...command: [string, ...string[]]): Promise<string> {
  const environment = { PATH: path, CHECKPOINT_DISABLE: "1" };
  const { status, output } = await run(command, { cwd: project, environment });
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}:\n${output}`);
  return output;
}

/** Runs a command that synthesises in the copy. Returns what it writes for Terraform. */
async function synthesised(...command: [string, ...string[]]): Promise<string> {
  rmSync(join(project, "cdktf.out"), { recursive: true, force: true });
  await sh(...command);
  return readFileSync(join(project, "cdktf.out/stacks/git-diff/cdk.tf.json"), "utf8");
}

/** Takes out of a synthesised stack what may differ between cdktf and its successor. */
function comparable(json: string) {
  const [, tag] = /repository_url}:([0-9a-f]{64})"/.exec(json) ?? [];
  if (!tag) throw new Error(`There is no tag of an image in ${json}`);
  const { "//": top, ...template } = JSON.parse(json.replaceAll(tag, "<tag>"));
  const { aws } = template.terraform.required_providers;
  const { source } = aws;
  delete aws.source;
  return { template, tag, source, version: top.metadata.version };
}

/** Where this computer's Node is older than the successor's command line accepts: the folder of one from npm's registry. */
async function newerNode(): Promise<string[]> {
  const { stdout } = await run(["node", "--version"], { cwd: folder, environment: {} });
  if (Bun.semver.satisfies(stdout.trim().slice(1), ">=22.19.0")) return [];
  const name = `node-${process.platform}-${process.arch}`;
  const home = join(folder, "node");
  mkdirSync(home);
  const install = ["npm", "install", "--prefix", home, "--no-save", `${name}@22.23.3`] as const;
  const { status, output } = await run(install, { cwd: home, environment: {} });
  if (status !== 0) throw new Error(`No Node 22.19 or newer here, nor in the registry:\n${output}`);
  return [join(home, "node_modules", name, "bin")];
}
