import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { Statement } from "../../modules/iam.ts";
import { type IamEnforcer, startIamEnforcer } from "../fixtures/iam-enforcer.ts";
import { deniedAction } from "../fixtures/iam-policy.ts";
import { createLockedBucket } from "../fixtures/locked-bucket.ts";
import { ACCOUNT, resolve, stackRoles, withoutEach } from "../fixtures/stack-role.ts";
import { IMAGE, Template } from "../fixtures/template.ts";
import { openTestbed, type Testbed } from "../fixtures/testbed.ts";
import { runWorker } from "../fixtures/worker.ts";

setDefaultTimeout(60_000);

const kmsKey = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1234`;
const repositories = ["api", "web"].map((name) => ({
  name,
  url: `https://git.acme.com/${name}.git`,
  collect: ["diffs", "mirror"],
}));
const drill = { schedule: "rate(1 day)", parts: 2 };
const own = stack({ kmsKey });
const foreign = stack({ bucket: "acme-diffs/git" });

let testbed: Testbed;
let iam: IamEnforcer;

/** Both repositories, mirrored to both buckets, whose locks end soon. */
beforeAll(async () => {
  testbed = await openTestbed();
  iam = await startIamEnforcer(testbed.aws.endpoint, { region: "eu-west-1", account: ACCOUNT });
  for (const { name } of repositories) await testbed.repository(name);
  for (const { bucket, environment } of [own, foreign]) {
    await createLockedBucket(testbed.aws, bucket, 1);
    const REPOSITORIES = (environment.REPOSITORIES ?? "").replaceAll(
      /https:\/\/git.acme.com\/(\w+).git/g,
      (_, name) => testbed.host.url(name),
    );
    expect((await runWorker({ ...testbed.aws.environment, REPOSITORIES })).status).toBe(0);
  }
});
afterAll(async () => {
  await Promise.all([iam.close(), testbed.close()]);
});

describe.each([
  ["the stack's own bucket", own],
  ["a bucket of another account", foreign],
] as const)("the drill's role in %s", (_, stack) => {
  test("has every permission that a drill needs", async () => {
    const { status, events } = await run(stack, stack.statements, stack.bucketPolicy);
    expect(iam.denied).toEqual([]);
    expect(events.map(({ event, code }) => code ?? event).sort()).toEqual([
      "locks-extended",
      "locks-extended",
      "summary",
      "verified",
      "verified",
    ]);
    expect(status).toBe(0);
  });

  // S3 leaves the lock out of an answer where it may not be read, and the drill extends it each time.
  const needed = (statements: readonly Statement[]) =>
    withoutEach(statements).filter(({ name }) => !name.endsWith("without s3:GetObjectRetention"));

  test.each(needed(stack.statements))("$name: the drill fails, and says why", async (without) => {
    expectDenied(without.actions, await run(stack, without.statements, stack.bucketPolicy));
  });

  if (stack.otherAccount) {
    const policy = stack.bucketPolicy.filter(({ Principal }) => JSON.stringify(Principal).includes("-drill"));
    test.each(needed(policy))("$name of the bucket: the drill fails, and says why", async (without) => {
      expectDenied(without.actions, await run(stack, stack.statements, without.statements));
    });
  }
});

type Stack = ReturnType<typeof stack>;

function expectDenied(actions: readonly string[], { status, events }: Awaited<ReturnType<typeof run>>): void {
  expect(iam.denied).not.toEqual([]);
  for (const words of iam.denied) expect(actions).toContain(deniedAction(words));
  const told = events
    .filter(({ event }) => event === "failed")
    .map((event) => Object.values(event).join(" "));
  for (const text of told) expect(actions.filter((name) => text.includes(name))).not.toEqual([]);
  expect(told).not.toEqual([]);
  expect(status).toBe(1);
}

/** Returns a stack's drill: its role, its bucket's policy and its container. */
function stack(gitDiff: Record<string, unknown>) {
  const template = new Template({
    region: "eu-west-1",
    image: IMAGE,
    repositories,
    drill,
    lockDays: 30,
    ...gitDiff,
  });
  const role = stackRoles(template)["task-all-drill_worker"];
  if (!role) throw new Error("The stack has no role of that name.");
  const policy = template.json.output.bucket_policy?.value;
  const text = resolve(template, policy ?? template.get("aws_s3_bucket_policy.results_policy").policy);
  const bucketPolicy: readonly Statement[] = JSON.parse(text).Statement;
  const { environment: variables, command } = template.container("all-drill");
  const environment: Record<string, string> = Object.fromEntries(
    variables.flatMap(({ name, value }) => (name === "TMPDIR" ? [] : [[name, resolve(template, value)]])),
  );
  const bucket = policy ? "acme-diffs" : `git-diff-results-${ACCOUNT}`;
  return {
    ...role,
    bucketPolicy,
    environment,
    args: command as string[],
    bucket,
    otherAccount: policy !== undefined,
  };
}

async function run(
  { principal, bucket, environment, args, otherAccount }: Stack,
  statements: readonly Statement[],
  bucketPolicy: readonly Statement[],
) {
  iam.where.bucketKey = otherAccount ? undefined : kmsKey;
  iam.act(principal, statements, { resource: bucketPolicy, otherAccount });
  // A new version has the lock of a day.
  for (const { name } of repositories) {
    const Key = `${otherAccount ? "git/" : ""}${name}.git/HEAD`;
    const Body = await testbed.aws.body(bucket, Key);
    await testbed.aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
  }
  return runWorker(
    { ...environment, ...testbed.aws.environment, AWS_ENDPOINT_URL: iam.endpoint, AWS_MAX_ATTEMPTS: "1" },
    { args },
  );
}
