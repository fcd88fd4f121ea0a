import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { SMALLEST } from "../fixtures/template.ts";
import { Deployment, run, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms("scanners", "checkov", "terraform", "moto_server");
const root = join(import.meta.dirname, "../..");
setDefaultTimeout(900_000);

describe.skipIf(missing !== undefined)(`Checkov${missing ? ` (${missing})` : ""}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "scanners-"));
  const repositories = [{ name: "api", url: "https://github.com/acme/api.git", credentials: "host" }];
  let aws: Aws;
  let environment: Record<string, string>;
  let plans: Record<"smallest" | "guarded", string>;

  /** What a configuration would create, as a file that Checkov reads. */
  async function planOf(gitDiff: { name: string }): Promise<string> {
    const deployment = new Deployment({ ...SMALLEST, repositories, ...gitDiff }, environment);
    await deployment.init();
    await deployment.plan();
    const path = join(folder, `${gitDiff.name}.json`);
    writeFileSync(path, await deployment.terraform(["show", "-json", "planned"]));
    deployment.remove();
    return path;
  }
  /** The checks that fail for a file, each with the resource. */
  async function failures(path: string, ...options: string[]): Promise<string[]> {
    const command = ["checkov", "--skip-download", "--output", "json", "--file", path, ...options] as const;
    const { stdout, output } = await run(command, { cwd: folder, environment: {} });
    if (!stdout.trim()) throw new Error(output);
    const reports: {
      results?: { failed_checks: { check_id: string; resource: string }[] };
      summary?: { passed: number; parsing_errors: number };
    }[] = [JSON.parse(stdout)].flat();
    // Or it would find nothing in what it cannot read.
    expect(reports.reduce((sum, { summary }) => sum + (summary?.parsing_errors ?? 0), 0)).toBe(0);
    expect(reports.reduce((sum, { summary }) => sum + (summary?.passed ?? 0), 0)).toBeGreaterThan(50);
    return reports
      .flatMap(({ results }) => results?.failed_checks ?? [])
      .map(({ check_id, resource }) => `${check_id} ${resource}`)
      .sort();
  }
  const accepted = ["--config-file", join(root, ".checkov.yaml")];

  beforeAll(async () => {
    aws = await startAws();
    environment = terraformEnvironment(aws, folder);
    const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/1234";
    const guarded = { kmsKey, vpc: { flowLogs: true }, accessLogs: "access-logs", logRetentionDays: 365 };
    plans = {
      smallest: await planOf({ name: "smallest" }),
      guarded: await planOf({ name: "guarded", ...guarded }),
    };
  });
  afterAll(async () => {
    await aws?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("finds nothing in the smallest stack but what is accepted", async () => {
    expect(await failures(plans.smallest, ...accepted)).toEqual([]);
  });

  test("finds five things in a stack that spares nothing", async () => {
    expect(await failures(plans.guarded, "--framework", "terraform_plan")).toEqual([
      "CKV2_AWS_5 aws_security_group.vpc_task",
      "CKV2_AWS_62 aws_s3_bucket.results",
      "CKV_AWS_144 aws_s3_bucket.results",
      "CKV_AWS_297 aws_scheduler_schedule.schedule-all",
      "CKV_AWS_65 aws_ecs_cluster.cluster",
    ]);
  });

  test("finds nothing in the Dockerfile but what is accepted", async () => {
    expect(await failures(join(root, "image/Dockerfile"), ...accepted)).toEqual([]);
    expect(
      (await failures(join(root, "image/Dockerfile"), "--framework", "dockerfile")).length,
    ).toBeGreaterThan(0);
  });

  test("would find a careless resource", async () => {
    const plan = JSON.parse(readFileSync(plans.guarded, "utf8"));
    const open = {
      cidr_blocks: ["0.0.0.0/0"],
      from_port: 22,
      to_port: 22,
      protocol: "tcp",
      description: "all",
    };
    const values = { name: "careless", description: "open", ingress: [open], egress: [] };
    const resource = { mode: "managed", type: "aws_security_group", name: "careless", values };
    plan.planned_values.root_module.resources.push({ ...resource, address: "aws_security_group.careless" });
    const path = join(folder, "careless.json");
    writeFileSync(path, JSON.stringify(plan));
    expect(await failures(path, ...accepted)).toContain("CKV_AWS_24 aws_security_group.careless");
  });
});
