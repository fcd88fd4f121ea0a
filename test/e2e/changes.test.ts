import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeTaskDefinitionCommand, ECSClient } from "@aws-sdk/client-ecs";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { GetScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { GetParameterCommand, PutParameterCommand } from "@aws-sdk/client-ssm";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { SMALLEST } from "../fixtures/template.ts";
import { Deployment, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms("terraform", "terraform", "moto_server");
setDefaultTimeout(900_000);

describe.skipIf(missing !== undefined)(`a live stack${missing ? ` (${missing})` : ""}`, () => {
  const network = { subnets: ["subnet-01234567"], securityGroups: ["sg-01234567"] };
  const api = { name: "api", url: "https://github.com/acme/api.git", credentials: "host" };
  const web = { name: "web", url: "https://github.com/acme/web.git" };
  const before = { ...SMALLEST, name: "live", network, repositories: [api, web] };
  const parameter = "/live/_credentials/github.com";
  let folder: string;
  let emulated: Aws;
  let environment: Record<string, string>;
  let ecs: ECSClient;
  let scheduler: SchedulerClient;
  let kmsKey: string;
  let live: Deployment;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "git-diff-changes-"));
    emulated = await startAws();
    environment = terraformEnvironment(emulated, folder);
    const client = {
      endpoint: emulated.motoEndpoint,
      region: environment.AWS_REGION,
      credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "not-a-secret" },
    };
    ecs = new ECSClient(client);
    scheduler = new SchedulerClient(client);
    kmsKey = (await new KMSClient(client).send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? "";
    live = new Deployment(before, environment);
    await live.init();
    await live.apply();
    const Value = "me:hunter2";
    await emulated.ssm.send(
      new PutParameterCommand({ Name: parameter, Value, Type: "SecureString", Overwrite: true }),
    );
  });

  afterAll(async () => {
    live?.remove();
    rmSync(folder, { recursive: true, force: true });
    await emulated?.close();
  });

  const credential = async () => {
    const found = await emulated.ssm.send(new GetParameterCommand({ Name: parameter, WithDecryption: true }));
    return found.Parameter?.Value;
  };
  const addresses = async () => (await live.plan()).map(({ address, change }) => [address, change.actions]);
  const scheduled = async () => {
    const { Target } = await scheduler.send(new GetScheduleCommand({ GroupName: "live", Name: "live-all" }));
    return JSON.parse(Target?.Input ?? "").TaskDefinition;
  };

  test("is not planned with credentials of another account than the configured one", async () => {
    live.synthesise({ ...before, account: "123456789012" });
    await live.planNothing();
    live.synthesise({ ...before, account: "210987654321" });
    await expect(live.plan()).rejects.toThrow(/AWS account ID not allowed: 123456789012/);
  });

  test("does not change when its repositories change places", async () => {
    live.synthesise({ ...before, repositories: [web, api] });
    await live.planNothing();
  });

  test("plans one more repository as a new revision and one more permission", async () => {
    live.synthesise({ ...before, repositories: [api, { name: "more" }, web] });
    expect(await addresses()).toEqual([
      ["aws_ecs_task_definition.task-all", ["create", "delete"]],
      ["aws_iam_policy.task-all_worker_1", ["update"]],
    ]);
  });

  test("schedules the newest revision, and keeps the old one for what runs and for what is retried", async () => {
    await live.apply();
    const status = async (taskDefinition: string) => {
      const found = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
      return [found.taskDefinition?.revision, found.taskDefinition?.status];
    };
    expect(await status(await scheduled())).toEqual([2, "ACTIVE"]);
    expect(await status("live-all:1")).toEqual([1, "ACTIVE"]);
  });

  // Planned only: the emulator cannot give a key to a log group that is there.
  test("takes a KMS key, and does not touch the credential that was set by hand", async () => {
    live.synthesise({ ...before, repositories: [api, { name: "more" }, web], kmsKey });
    expect(await addresses()).toEqual([
      ["aws_athena_workgroup.tables_workgroup", ["update"]],
      ["aws_cloudwatch_log_group.task-all_log", ["update"]],
      ["aws_iam_policy.task-all_execution_1", ["update"]],
      ["aws_iam_policy.task-all_worker_1", ["update"]],
      ["aws_s3_bucket_server_side_encryption_configuration.results_encryption", ["update"]],
      ["aws_sns_topic.alarms", ["update"]],
    ]);
    expect(await credential()).toBe("me:hunter2");
  });

  test("takes a lock and a drill without a new bucket", async () => {
    const mirrored = { ...web, collect: ["diffs", "mirror"] };
    const drill = { schedule: "rate(1 day)", parts: 7 };
    live.synthesise({ ...before, repositories: [api, { name: "more" }, mirrored], lockDays: 30, drill });
    const planned = (await addresses()).filter(([address]) => !String(address).includes("drill"));
    expect(planned).toEqual([
      ["aws_cloudwatch_event_target.alarms_notify", ["update"]],
      ["aws_cloudwatch_log_metric_filter.alarms_refs-all_filter", ["create"]],
      ["aws_cloudwatch_metric_alarm.alarms_refs-all", ["create"]],
      ["aws_ecs_task_definition.task-all", ["create", "delete"]],
      ["aws_iam_policy.task-all_worker_1", ["update"]],
      ["aws_s3_bucket_object_lock_configuration.results_lock", ["create"]],
      ["aws_s3_bucket_policy.results_policy", ["update"]],
      ["aws_sns_topic_policy.alarms_policy", ["update"]],
    ]);
    // The emulator's bucket is empty, and so can be locked as a real one with objects in it.
    await live.apply();
    await live.planNothing();
  });

  test("refuses to destroy a repository that it created in CodeCommit, listed or not", async () => {
    const created = { ...before, name: "created", repositories: [web, { name: "new", create: true }] };
    const deployment = new Deployment(created, environment);
    await deployment.init();
    // The emulator cannot be read after the creation of a repository, so the state is made by hand.
    deployment.writeState("aws_codecommit_repository", "codecommit", "new", {
      id: "new",
      repository_name: "new",
    });
    const refused = (args: readonly string[]) =>
      expect(deployment.terraform([...args, "-refresh=false", "-no-color"], 0)).rejects.toThrow(
        /codecommit\["new"\]\s+has\s+lifecycle\.prevent_destroy set/,
      );
    await refused(["plan", "-destroy"]);
    deployment.synthesise({ ...created, repositories: [web] });
    await refused(["plan"]);
    deployment.remove();
  });
});
