import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeTaskDefinitionCommand, ECSClient, RegisterTaskDefinitionCommand } from "@aws-sdk/client-ecs";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { awsAnswers } from "../fixtures/aws-answers.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { IMAGE } from "../fixtures/template.ts";
import { Deployment, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms("terraform", "terraform", "moto_server");
setDefaultTimeout(900_000);

const github = "https://github.com/acme";
const STACK = {
  region: "eu-west-1",
  image: IMAGE,
  resultRetentionDays: 90,
  collections: [
    {
      name: "daily",
      repositories: [
        { name: "web", url: `${github}/web.git`, credentials: "host" },
        { name: "own", url: `${github}/own.git`, credentials: "repository" },
      ],
    },
    { name: "hourly", schedule: "rate(1 hour)", repositories: [{ name: "legacy" }] },
  ],
};

/** Mirrors beside diffs that expire, locked, with a drill of each kind; pushes start a collection too. */
const MIRRORED = {
  onPush: true,
  lockDays: 30,
  drill: { schedule: "rate(1 day)", parts: 7 },
  collections: STACK.collections.map((collection) => ({
    ...collection,
    repositories: collection.repositories.map((repository) => ({
      ...repository,
      collect: ["diffs", "mirror"],
    })),
  })),
};

describe.skipIf(missing !== undefined)(`a second plan on AWS${missing ? ` (${missing})` : ""}`, () => {
  const { rewrite, changed } = awsAnswers();
  let folder: string;
  let emulated: Aws;
  let ecs: ECSClient;
  let kmsKey: string | undefined;
  let deployments: Deployment[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "git-diff-second-plan-"));
    emulated = await startAws(rewrite);
    const { endpoint, motoEndpoint } = emulated;
    const environment = { ...terraformEnvironment(emulated, folder), AWS_ENDPOINT_URL: endpoint };
    const { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = emulated.environment;
    const client = {
      region: STACK.region,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    };
    ecs = new ECSClient({ ...client, endpoint });
    const kms = new KMSClient({ ...client, endpoint: motoEndpoint });
    kmsKey = (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn;
    deployments = [
      new Deployment({ ...STACK, name: "own-key", kmsKey }, environment),
      new Deployment({ ...STACK, name: "no-key", resultRetentionDays: undefined }, environment),
      new Deployment({ ...STACK, ...MIRRORED, name: "mirrors" }, environment),
    ];
    await Promise.all(
      deployments.map(async (deployment) => {
        await deployment.init();
        await deployment.apply();
      }),
    );
  });

  afterAll(async () => {
    for (const deployment of deployments ?? []) deployment.remove();
    rmSync(folder, { recursive: true, force: true });
    await emulated?.close();
  });

  test("is empty", () => Promise.all(deployments.map((deployment) => deployment.planNothing())));

  test("is empty once the state is what AWS answers", async () => {
    const refresh = ["apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color"];
    await Promise.all(
      deployments.map(async (deployment) => {
        await deployment.terraform(refresh);
        await deployment.planNothing();
      }),
    );
  });

  test("meets the defaults of ECS, which the stack states itself", async () => {
    const registered = {
      name: "bare",
      image: "busybox",
      memory: 128,
      essential: true,
      linuxParameters: { capabilities: { drop: ["ALL"] }, initProcessEnabled: true },
    };
    await ecs.send(new RegisterTaskDefinitionCommand({ family: "bare", containerDefinitions: [registered] }));
    const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: "bare" }));
    expect(taskDefinition?.containerDefinitions?.[0]).toEqual({
      ...registered,
      cpu: 0,
      environment: [],
      mountPoints: [],
      portMappings: [],
      systemControls: [],
      volumesFrom: [],
      linuxParameters: { capabilities: { add: [], drop: ["ALL"] }, initProcessEnabled: true },
    });
  });

  test("shows nothing but the change where the task changes", async () => {
    const [deployment] = deployments;
    const [daily, hourly] = STACK.collections;
    const collections = [daily, { ...hourly, repositories: [{ name: "legacy", branch: "next" }] }];
    deployment?.synthesise({ ...STACK, name: "own-key", kmsKey, collections });
    const changes = (await deployment?.plan()) ?? [];
    const task = changes.find(({ address }) => address === "aws_ecs_task_definition.task-hourly")?.change;
    const [before, after] = [task?.before, task?.after].map((definition) => {
      const [container] = JSON.parse((definition as { container_definitions: string }).container_definitions);
      return {
        ...container,
        environment: new Set(container.environment.map(({ name }: { name: string }) => name)),
      };
    });
    expect(after).toEqual(before);
  });

  test("has met every difference between AWS and the emulator", () => {
    expect(Object.entries(changed).filter(([, times]) => times === 0)).toEqual([]);
  });
});
