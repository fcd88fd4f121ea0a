import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeTaskDefinitionCommand, ECSClient, type TaskDefinition } from "@aws-sdk/client-ecs";
import { GetPolicyVersionCommand, IAMClient, ListAttachedRolePoliciesCommand } from "@aws-sdk/client-iam";
import { DeleteBucketPolicyCommand, GetBucketPolicyCommand } from "@aws-sdk/client-s3";
import { GetScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { GetParametersCommand, PutParameterCommand } from "@aws-sdk/client-ssm";
import type { Statement } from "../../modules/iam.ts";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { type Certificate, makeCertificate } from "../fixtures/certificate.ts";
import { buildImage, docker } from "../fixtures/docker.ts";
import { type Host, startHost } from "../fixtures/git-host.ts";
import { makeRepository, oracle, type Repository } from "../fixtures/repository.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { IMAGE } from "../fixtures/template.ts";
import { Deployment, run, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms("container", "terraform", "moto_server", "docker");
// A first build of the image fetches Debian's packages.
setDefaultTimeout(600_000);

const STACK = "whole";
const BUCKET = `${STACK}-results-123456789012`;
const CURSOR = `/${STACK}/api`;
const CREDENTIALS = { user: "reader", password: "p@ss:wörd %2F" };

describe.skipIf(missing !== undefined)(`the whole way${missing ? ` (${missing})` : ""}`, () => {
  let folder: string;
  let aws: Aws;
  let certificate: Certificate;
  let host: Host;
  let repository: Repository;
  let deployment: Deployment;
  let image: string;
  let role: Awaited<ReturnType<typeof startRole>>;
  let task: Task;
  const heads: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "whole-"));
    certificate = await makeCertificate({ names: ["127.0.0.1"] });
    host = await startHost(folder, { tls: certificate, credentials: CREDENTIALS });
    repository = await makeRepository({ path: join(folder, "acme", "api") });
    aws = await startAws();
    deployment = new Deployment(
      {
        name: STACK,
        region: "eu-west-1",
        image: IMAGE,
        network: { subnets: ["subnet-0123456789abcdef0"], securityGroups: ["sg-0123456789abcdef0"] },
        repositories: [{ name: "api", url: host.url("acme/api"), credentials: "host" }],
      },
      terraformEnvironment(aws, folder),
    );
    await deployment.init();
    await deployment.apply();
    const { set_credentials } = await deployment.outputs();
    const command = Object.values(set_credentials?.value ?? {})[0] as string;
    const name = / --name (\S+) /.exec(command)?.[1];
    const Value = `${CREDENTIALS.user}:${CREDENTIALS.password}`;
    await aws.ssm.send(new PutParameterCommand({ Name: name, Value, Type: "SecureString", Overwrite: true }));
    task = await readTask(aws);
    await allowPlainHttp(aws);
    role = await startRole(aws);
    image = (await buildImage("linux/arm64")).name;
  });
  afterAll(async () => {
    deployment?.remove();
    role?.stop();
    await Promise.all([host?.close(), aws?.close(), certificate?.close()]);
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    host?.reset();
    aws.calls.length = 0;
  });

  /** The arguments of `docker run` for the task as ECS would start it at `time`, and the folder that is to be mounted. */
  async function start(time: string, ...more: string[]): Promise<{ name: string; args: string[] }> {
    const name = `git-diff-${randomUUID()}`;
    const environment: Record<string, string> = {
      ...task.environment(time),
      // What ECS adds by itself, on loopback as this is no Fargate; and where AWS is emulated.
      AWS_CONTAINER_CREDENTIALS_FULL_URI: role.url,
      AWS_ENDPOINT_URL: aws.endpoint,
    };
    const file = join(folder, name);
    await writeFile(
      file,
      Object.entries(environment)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(""),
    );
    // The host's authority is one that the image does not know.
    const authorities = [
      "--volume",
      `${certificate.ca}:/authorities.pem:ro`,
      "--env",
      "GIT_SSL_CAINFO=/authorities.pem",
    ];
    const rest = ["--network", "host", "--platform", "linux/arm64", "--name", name, "--env-file", file];
    return { name, args: ["run", "--rm", ...rest, ...task.confinement, ...authorities, ...more, image] };
  }

  /** Runs the task to its end. */
  async function runTask(time: string, ...more: string[]) {
    const { args } = await start(time, ...more);
    const { status, stdout, output } = await run(["docker", ...args], { cwd: folder, environment: {} });
    const events = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    if (status !== 0) throw new Error(`The container ended with ${status}: ${output}`);
    expect(output).not.toContain(CREDENTIALS.password);
    return events;
  }

  async function commit(text: string): Promise<string> {
    const around = "The same as ever.\n".repeat(9);
    await repository.write("file", `${around}${text}${around}`);
    const head = await repository.commit();
    heads.push(head);
    return head;
  }

  /** Expects that the stored diff of a step is right, and that the cursor is at its end. */
  async function expectStep(time: string, from: string | null, to: string): Promise<void> {
    const start = from ?? "4b825dc";
    const key = `api/${time}_${start.slice(0, 7)}-${to.slice(0, 7)}.diff`;
    expect(await aws.objects(BUCKET)).toContain(key);
    const diff = Buffer.from(await aws.body(BUCKET, key)).toString();
    expect(diff).toBe(Buffer.from(await oracle(repository.path, from, to)).toString());
    expect((await aws.parameter(CURSOR))?.value).toBe(to);
  }

  test("the first run stores everything", async () => {
    const head = await commit("one\n");
    const events = await runTask("2026-01-01T00:00:00Z");
    expect(events.map(({ event, kind }) => [event, kind])).toEqual([
      ["collected", "baseline"],
      ["summary", undefined],
    ]);
    await expectStep("2026-01-01-0000", null, head);
    expect(host.requests.some(({ headers }) => headers.authorization)).toBe(true);
    expect(role.asked).toBeGreaterThan(0);
  });

  test("a run after a commit stores what changed", async () => {
    const head = await commit("two\n");
    const [collected] = await runTask("2026-01-02T00:00:00Z");
    expect(collected).toMatchObject({ event: "collected", kind: "change" });
    await expectStep("2026-01-02-0000", heads[0] ?? "", head);
  });

  test("a run after a force-push stores the exact difference, and calls it rewritten", async () => {
    await repository.git("reset", "--quiet", "--hard", "HEAD~1");
    const head = await commit("three\n");
    const [collected] = await runTask("2026-01-03T00:00:00Z");
    expect(collected).toMatchObject({ event: "collected", kind: "rewritten" });
    await expectStep("2026-01-03-0000", heads[1] ?? "", head);
  });

  test("a run without a commit stores nothing", async () => {
    const before = await aws.objects(BUCKET);
    const [unchanged] = await runTask("2026-01-04T00:00:00Z");
    expect(unchanged).toMatchObject({ event: "unchanged", commit: heads.at(-1) });
    expect(await aws.objects(BUCKET)).toEqual(before);
  });

  test("every call to AWS was one that the task role and the bucket's policy allow", async () => {
    await commit("four\n");
    await runTask("2026-01-05T00:00:00Z");
    const asked = aws.calls.map(({ operation, path }) => permissionFor(operation, path));
    expect(asked.map(([action]) => action)).toContain("s3:PutObject");
    const { statements } = task;
    expect(asked.filter(([action, resource]) => !isAllowed(statements, action, resource))).toEqual([]);
  });

  test("nothing tries to run a shell", async () => {
    // A file that is there in a shell's target: to execute it, the kernel reads it, and that moves its access time.
    const shell = join(folder, "shell");
    await writeFile(shell, await readFile("/proc/self/exe").then((bytes) => bytes.subarray(0, 4096)), {
      mode: 0o755,
    });
    const long = new Date("2001-01-01T00:00:00Z");
    const mounts = ["sh", "bash", "dash"].flatMap((name) => ["--volume", `${shell}:/usr/bin/${name}`]);
    const everywhere = [...mounts, "--volume", `${shell}:/bin/sh`];
    const wasRead = async () => (await stat(shell)).atime.getTime() !== long.getTime();

    await utimes(shell, long, new Date());
    await commit("five\n");
    const [collected] = await runTask("2026-01-06T00:00:00Z", ...everywhere);
    expect(collected).toMatchObject({ event: "collected", kind: "change" });
    expect(await wasRead()).toBe(false);

    // And one that does is noticed: an alias of git's that begins with `!` is for the shell.
    const alias = ["--entrypoint", "/usr/bin/git", ...everywhere, image, "-c", "alias.x=!true && true", "x"];
    const platform = ["--network", "host", "--platform", "linux/arm64"];
    await run(["docker", "run", "--rm", ...platform, ...task.confinement, ...alias], {
      cwd: folder,
      environment: {},
    });
    expect(await wasRead()).toBe(true);
  });

  test("SIGTERM ends it before ECS would kill it, and the cursor stays", async () => {
    const before = await aws.parameter(CURSOR);
    await commit("six\n");
    host.options.hang = true;
    const { name, args } = await start("2026-01-07T00:00:00Z");
    const running = run(["docker", ...args], { cwd: folder, environment: {} });
    while (host.requests.length === 0) await Bun.sleep(100);
    const started = performance.now();
    await docker("stop", "--time", "30", name);
    const { status, stdout } = await running;
    expect(status).toBe(143);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(stdout).toContain('"code":"stopped"');
    expect(await aws.parameter(CURSOR)).toEqual(before);
    expect((await aws.objects(BUCKET)).filter((key) => key.includes("2026-01-07"))).toEqual([]);
  });
});

interface Task {
  /** What the container is given when the schedule fires at `time`. */
  environment(time: string): Record<string, string>;
  /** User, mounts and everything that is taken from it, as arguments of `docker run`. */
  readonly confinement: string[];
  /** What its role may do, and what the bucket lets that role do. */
  readonly statements: Statement[];
}

/** Reads the task back from AWS, and translates it for Docker as ECS does. */
async function readTask({ motoEndpoint, environment, s3, ssm }: Aws): Promise<Task> {
  const credentials = {
    accessKeyId: environment.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? "",
  };
  const options = { endpoint: motoEndpoint, region: environment.AWS_REGION, credentials };
  const [ecs, iam, scheduler] = [
    new ECSClient(options),
    new IAMClient(options),
    new SchedulerClient(options),
  ];

  const { Target } = await scheduler.send(new GetScheduleCommand({ GroupName: STACK, Name: `${STACK}-all` }));
  const input = (time: string) =>
    JSON.parse((Target?.Input ?? "").replaceAll("<aws.scheduler.scheduled-time>", time));
  const taskDefinition: string = input("").TaskDefinition;
  const described = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  const definition = described.taskDefinition as TaskDefinition;
  const [container] = definition.containerDefinitions ?? [];
  if (!container) throw new Error(`${taskDefinition} has no container`);

  const secrets: Record<string, string> = {};
  for (const { name = "", valueFrom = "" } of container.secrets ?? []) {
    const Names = [valueFrom.replace(/^arn:aws:ssm:[^/]+:parameter/, "")];
    const { Parameters = [] } = await ssm.send(new GetParametersCommand({ Names, WithDecryption: true }));
    secrets[name] = Parameters[0]?.Value ?? "";
  }

  const roleArn = definition.taskRoleArn ?? "";
  const RoleName = roleArn.replace(/.*\//, "");
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  const policies = await Promise.all(
    AttachedPolicies.map(({ PolicyArn }) =>
      iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: "v1" })),
    ),
  );
  const { Policy = "" } = await s3.send(new GetBucketPolicyCommand({ Bucket: BUCKET }));
  const texts = [
    ...policies.map(({ PolicyVersion }) => decodeURIComponent(PolicyVersion?.Document ?? "")),
    Policy,
  ];
  const statements = texts
    .flatMap((text): Statement[] => JSON.parse(text).Statement)
    .filter(
      ({ Effect, Principal }) =>
        Effect === "Allow" && (!Principal || JSON.stringify(Principal).includes(`"${roleArn}"`)),
    );

  return {
    statements,
    environment(time) {
      const [override] = input(time).Overrides.ContainerOverrides;
      expect(override.Name).toBe(container.name);
      const plain = container.environment ?? [];
      return {
        ...Object.fromEntries(plain.map(({ name, value }) => [name, value])),
        ...secrets,
        ...Object.fromEntries(
          override.Environment.map(({ Name, Value }: { Name: string; Value: string }) => [Name, Value]),
        ),
      };
    },
    confinement: [
      ...["--user", container.user ?? "root"],
      ...(container.readonlyRootFilesystem ? ["--read-only"] : []),
      ...(container.linuxParameters?.capabilities?.drop ?? []).flatMap((name) => ["--cap-drop", name]),
      ...(container.linuxParameters?.initProcessEnabled ? ["--init"] : []),
      ...(container.mountPoints ?? []).flatMap(({ containerPath }) => ["--volume", `${containerPath}`]),
      // Fargate lets no process gain privileges; Docker needs an option for that.
      ...["--security-opt", "no-new-privileges"],
      ...["--memory", `${definition.memory}m`],
    ],
  };
}

/** The emulator is reached over plain HTTP, which the bucket's policy denies, and does nothing else. */
async function allowPlainHttp({ s3 }: Aws): Promise<void> {
  const { Policy = "" } = await s3.send(new GetBucketPolicyCommand({ Bucket: BUCKET }));
  expect(JSON.parse(Policy).Statement.map(({ Sid }: Statement) => Sid)).toEqual(["TlsOnly"]);
  await s3.send(new DeleteBucketPolicyCommand({ Bucket: BUCKET }));
}

/** The endpoint where a container of ECS finds its role's credentials. */
async function startRole({ environment }: Aws) {
  const role = { asked: 0, url: "", stop: () => {} };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch() {
      role.asked++;
      return Response.json({
        AccessKeyId: environment.AWS_ACCESS_KEY_ID,
        SecretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
        Token: "token",
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      });
    },
  });
  role.url = `http://127.0.0.1:${server.port}/v2/credentials/${randomUUID()}`;
  role.stop = () => void server.stop(true);
  return role;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html: the calls of an upload need PutObject. */
function permissionFor(operation: string, path: string): [action: string, resource: string] {
  const s3: Record<string, string> = {
    CreateMultipartUpload: "PutObject",
    UploadPart: "PutObject",
    CompleteMultipartUpload: "PutObject",
    ListObjectsV2: "ListBucket",
    HeadObject: "GetObject",
  };
  if (operation.endsWith("Parameter")) {
    return [`ssm:${operation}`, `arn:aws:ssm:eu-west-1:123456789012:parameter${CURSOR}`];
  }
  // The path of a bucket ends with a slash, its ARN does not.
  const name = decodeURIComponent(path).slice(1).replace(/\/$/, "");
  return [`s3:${s3[operation] ?? operation}`, `arn:aws:s3:::${name}`];
}

function isAllowed(statements: readonly Statement[], action: string, resource: string): boolean {
  const matches = (pattern: string) =>
    new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(resource);
  return statements.some(
    ({ Action, Resource }) => [Action].flat().includes(action) && [Resource].flat().some(matches),
  );
}
