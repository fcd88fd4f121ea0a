import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutBucketVersioningCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { missingPrograms } from "../fixtures/requirements.ts";

const missing = missingPrograms("tear-down", "aws", "moto_server");
setDefaultTimeout(300_000);

/** The shell commands in a page that contain a text. */
function commandsWith(text: string): string {
  const page = readFileSync(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
  const found = [...page.matchAll(/```sh\n(.*?)```/gs)].find(([, commands = ""]) => commands.includes(text));
  return found?.[1] ?? "";
}

describe.skipIf(missing !== undefined)(
  `the commands of docs/operations.md${missing ? ` (${missing})` : ""}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), "tear-down-"));
    const bucket = "git-diff-results-123456789012";
    let aws: Aws;

    async function shell(script: string): Promise<string> {
      const shell = Bun.spawn(["bash", "-e", "-o", "pipefail", "-c", script], {
        cwd: folder,
        env: { ...aws.environment, AWS_ENDPOINT_URL: aws.motoEndpoint, PATH: process.env.PATH ?? "" },
        stdout: "pipe",
        stderr: "pipe",
      });
      const [output, errors] = [
        await new Response(shell.stdout).text(),
        await new Response(shell.stderr).text(),
      ];
      if ((await shell.exited) !== 0) throw new Error(`${script}\n${errors}`);
      return output;
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
      const s3 = `aws s3api --region eu-west-1`;
      await shell(`${s3} delete-object --bucket ${bucket} --key 'api/1 "é"'`);
      await shell(`aws ecr create-repository --region eu-west-1 --repository-name git-diff`);
      const versions = `${s3} list-object-versions --bucket ${bucket} --query 'length([Versions, DeleteMarkers][] | [?Key])'`;
      expect((await shell(versions)).trim()).toBe("1101");

      await shell(commandsWith("delete-objects"));

      await shell(`${s3} delete-bucket --bucket ${bucket}`);
      const repositories = await shell("aws ecr describe-repositories --region eu-west-1");
      expect(JSON.parse(repositories).repositories).toEqual([]);
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
