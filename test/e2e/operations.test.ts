import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { makeTwoChains } from "../fixtures/two-chains.ts";
import { runWorker } from "../fixtures/worker.ts";

const missing = missingPrograms("operations", "aws", "moto_server");
const root = join(import.meta.dirname, "../..");
setDefaultTimeout(300_000);

/** The shell commands in a page that contain a text. */
function commandsWith(text: string): string {
  const page = readFileSync(join(root, "docs/operations.md"), "utf8");
  const found = [...page.matchAll(/```sh\n(.*?)```/gs)].find(([, commands = ""]) => commands.includes(text));
  if (!found?.[1]) throw new Error(`docs/operations.md has no commands with ${text}`);
  return found[1];
}

describe.skipIf(missing !== undefined)(
  `the commands of docs/operations.md${missing ? ` (${missing})` : ""}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), "operations-"));
    const bucket = "git-diff-results-123456789012";
    const ecr = "aws ecr --region eu-west-1";
    let aws: Aws;

    /** Runs a script, and returns what it prints. */
    async function shell(script: string, cwd = folder): Promise<string> {
      const shell = Bun.spawn(["bash", "-e", "-o", "pipefail", "-c", script], {
        cwd,
        env: { ...aws.environment, AWS_ENDPOINT_URL: aws.motoEndpoint, PATH: process.env.PATH ?? "" },
        stdout: "pipe",
        stderr: "pipe",
        timeout: 120_000,
      });
      const [output, errors] = await Promise.all([
        new Response(shell.stdout).text(),
        new Response(shell.stderr).text(),
      ]);
      if ((await shell.exited) !== 0) throw new Error(`${script}\n${errors}`);
      return output;
    }

    /** Makes the repository that the stack would have, with an image. */
    async function pushImage(): Promise<void> {
      await shell(`${ecr} create-repository --repository-name git-diff`);
      const config = `{"digest":"sha256:${"0".repeat(64)}"}`;
      const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
      const manifest = `{"schemaVersion":2,"mediaType":"${mediaType}","config":${config},"layers":[]}`;
      await shell(
        `${ecr} put-image --repository-name git-diff --image-tag built --image-manifest '${manifest}'`,
      );
    }
    async function imageRepositories(): Promise<unknown[]> {
      return JSON.parse(await shell(`${ecr} describe-repositories`)).repositories;
    }
    async function versions(): Promise<number> {
      const { Versions, DeleteMarkers } = await aws.s3.send(
        new ListObjectVersionsCommand({ Bucket: bucket, MaxKeys: 2_000 }),
      );
      return (Versions?.length ?? 0) + (DeleteMarkers?.length ?? 0);
    }

    beforeAll(async () => {
      aws = await startAws();
    });
    afterAll(async () => {
      await aws?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    test("empty the bucket of more versions than one request deletes, and remove the image repository", async () => {
      await aws.createBucket(bucket);
      const VersioningConfiguration = { Status: "Enabled" } as const;
      await aws.s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
      for (let key = 0; key < 1_100; key++) {
        await aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key: `api/${key} "é"`, Body: "x" }));
      }
      for (const key of [1, 1_050])
        await aws.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: `api/${key} "é"` }));
      await pushImage();

      expect(await shell(commandsWith("delete-objects"))).not.toContain("Access Denied");

      expect(await versions()).toBe(0);
      await aws.s3.send(new DeleteBucketCommand({ Bucket: bucket }));
      expect(await imageRepositories()).toEqual([]);
    });

    test("end where something is locked, and delete that too with the option that the page names", async () => {
      await aws.s3.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
      const ObjectLockRetainUntilDate = new Date(Date.now() + 86_400_000);
      const lock = { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate } as const;
      await aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key: "api/diff", Body: "x", ...lock }));
      const commands = commandsWith("delete-objects");

      await pushImage();
      expect(await shell(commands)).toMatch(
        /api\/diff\tAccess Denied because object protected by object lock/,
      );
      expect(await versions()).toBe(1);

      await pushImage();
      await shell(commands.replace("delete-objects", "delete-objects --bypass-governance-retention"));
      expect(await versions()).toBe(0);
      await aws.s3.send(new DeleteBucketCommand({ Bucket: bucket }));
    });

    test("move what a renamed repository has stored, so that the next run goes on", async () => {
      await aws.createBucket(bucket);
      await using chains = await makeTwoChains(0);
      const worker = async (name: string, ...args: string[]) => {
        const entry = {
          gitRepo: chains.url,
          parameterName: `/git-diff/${name}`,
          resultsBucket: `${bucket}/${name}`,
          collect: ["diffs", "mirror"],
        };
        const environment = { ...aws.environment, REPOSITORIES: JSON.stringify([entry]) };
        return (await runWorker(environment, { args })).events;
      };
      await chains.change();
      await worker("old");

      await shell(commandsWith("export"), root);

      expect(await aws.parameter("/git-diff/new")).toEqual(await aws.parameter("/git-diff/old"));
      await chains.change();
      await worker("new");
      const verified = await worker("new", "verify", "--replay");
      expect(verified.map(({ event, steps }) => [event, steps])).toEqual([
        ["verified", 2],
        ["verified", 2],
        ["summary", undefined],
      ]);
    });

    test("remove the cursors and the task definitions", async () => {
      for (const name of ["/git-diff/api", "/git-diff/acme/web", "/other/api"])
        await aws.putParameter(name, "x");
      const task = `--family git-diff-all --container-definitions '[{"name":"worker","image":"x","memory":128}]'`;
      await shell(`aws ecs register-task-definition --region eu-west-1 ${task}`);
      await shell(`aws ecs register-task-definition --region eu-west-1 ${task}`);

      await shell(commandsWith("delete-parameter"));

      expect(await aws.parameter("/git-diff/api")).toBeUndefined();
      expect(await aws.parameter("/git-diff/acme/web")).toBeUndefined();
      expect(await aws.parameter("/other/api")).toBeDefined();
      const left = await shell(
        "aws ecs list-task-definitions --region eu-west-1 --query 'length(taskDefinitionArns)'",
      );
      expect(left.trim()).toBe("0");
    });
  },
);
