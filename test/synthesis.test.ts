import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyProject } from "./fixtures/project.ts";

setDefaultTimeout(60_000);
const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "git-diff-synthesis-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command that synthesises, and answers what it wrote. */
const written = async (command: string[], out: string) => {
  const CDKTF_OUTDIR = join(folder, out);
  const { exited } = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, CDKTF_OUTDIR, CHECKPOINT_DISABLE: "1" },
    stdout: "ignore",
    stderr: "inherit",
  });
  expect(await exited).toBe(0);
  return readFileSync(join(CDKTF_OUTDIR, "stacks/git-diff/cdk.tf.json"), "utf8");
};

test("gives the same bytes whichever command starts it", async () => {
  const plain = await written([process.execPath, "main.ts"], "plain");
  expect(await written(["npm", "run", "--silent", "synth"], "npm")).toBe(plain);
  const cdktf = [join(root, "node_modules/.bin/cdktf"), "synth", "--output", join(folder, "cdktf")];
  expect(await written(cdktf, "cdktf")).toBe(plain);
});

test("gives the same bytes in every checkout", async () => {
  const checkouts = ["one", "another/of/another/depth"].map((name) => join(folder, name));
  for (const checkout of checkouts) {
    copyProject(checkout);
    symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
    expect(await Bun.spawn([process.execPath, "main.ts"], { cwd: checkout }).exited).toBe(0);
  }
  const [one, another] = checkouts.map((checkout) =>
    readFileSync(join(checkout, "cdktf.out/stacks/git-diff/cdk.tf.json"), "utf8"),
  );
  expect(one).toBe(another as string);
  expect(JSON.parse(one as string).resource.docker_image.ecr_image.build.context).toBe("../../..");
});

test("gives each environment a stack of its own, and says how to move what a renamed repository has", async () => {
  const synthesise = async (name: string) => {
    const stack = { region: "eu-west-1", repositories: [{ name, url: "https://github.com/acme/api.git" }] };
    const gitDiff = ["dev", "prod"].map((environment) => ({ ...stack, name: environment }));
    const CDKTF_CONTEXT_JSON = JSON.stringify({ gitDiff });
    const env = { ...process.env, CDKTF_OUTDIR: join(folder, "environments"), CDKTF_CONTEXT_JSON };
    const { exited, stderr } = Bun.spawn([process.execPath, "main.ts"], { cwd: root, env, stderr: "pipe" });
    expect(await exited).toBe(0);
    return new Response(stderr).text();
  };
  expect(await synthesise("api")).toBe("");
  const moves = await synthesise("acme/api");
  for (const environment of ["dev", "prod"]) {
    expect(moves).toContain(`aws ssm put-parameter --region eu-west-1 --name /${environment}/acme/api `);
  }
  expect(await synthesise("acme/api")).toBe("");
});

test("puts the lock file where Terraform looks for it, and keeps what Terraform adds there", async () => {
  const lock = join(folder, "locked/stacks/git-diff/.terraform.lock.hcl");
  const read = () => readFileSync(lock, "utf8");
  const committed = readFileSync(join(root, ".terraform.lock.hcl"), "utf8");
  const command = [process.execPath, "main.ts"];
  await written(command, "locked");
  expect(read()).toBe(committed);

  appendFileSync(lock, "# added\n");
  await written(command, "locked");
  expect(read()).toBe(`${committed}# added\n`);

  utimesSync(lock, 0, 0);
  await written(command, "locked");
  expect(read()).toBe(committed);
});

test("locks a version of each provider, from the range that the stack requires", async () => {
  const json = JSON.parse(await written([process.execPath, "main.ts"], "ranges"));
  const text = readFileSync(join(root, ".terraform.lock.hcl"), "utf8");
  const block =
    /provider "registry\.terraform\.io\/\w+\/(\w+)" \{\s+version +?= "(.+)"\s+constraints = "(.+)"/g;
  const locked = [...text.matchAll(block)].map(([, name = "", version = "", range = ""]) => {
    expect(Bun.semver.satisfies(version, range.replaceAll(",", ""))).toBe(true);
    return [name, range];
  });
  const required = json.terraform.required_providers as Record<string, { version: string }>;
  expect(locked).toEqual(Object.entries(required).map(([name, { version }]) => [name, version]));
});

test("prints only what is wrong", async () => {
  const wrong = Bun.spawn([process.execPath, "main.ts"], {
    cwd: root,
    env: { ...process.env, CDKTF_CONTEXT_JSON: JSON.stringify({ gitDiff: { region: "here" } }) },
    stderr: "pipe",
  });
  expect(await wrong.exited).toBe(1);
  const [first, ...lines] = (await new Response(wrong.stderr).text()).trimEnd().split("\n");
  expect(first).toBe("cdktf.json, context: 2 problems");
  for (const line of lines) expect(line).toStartWith("  gitDiff.");
  expect(lines).toHaveLength(2);
});

test("prints where the syntax of cdktf.json is wrong", async () => {
  const checkout = join(folder, "wrong");
  copyProject(checkout);
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
  writeFileSync(join(checkout, "cdktf.json"), '{\n  "context": {\n    "gitDiff": {},\n  }\n}\n');
  const wrong = Bun.spawn([process.execPath, "main.ts"], { cwd: checkout, stderr: "pipe" });
  expect(await wrong.exited).toBe(1);
  expect(await new Response(wrong.stderr).text()).toBe(
    'cdktf.json, line 4, column 3: a key is expected; write "key": value, and no comma behind the last one\n',
  );
});
