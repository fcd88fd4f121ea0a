import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { signCodeCommit } from "../../image/host/codecommit.ts";
import type { Statement } from "../../modules/iam.ts";
import { type Certificate, makeCertificate } from "../fixtures/certificate.ts";
import { type ConnectProxy, startConnectProxy } from "../fixtures/connect-proxy.ts";
import type { HostRequest } from "../fixtures/git-host.ts";
import { type IamEnforcer, startIamEnforcer } from "../fixtures/iam-enforcer.ts";
import { denialOf, deniedAction } from "../fixtures/iam-policy.ts";
import type { Repository } from "../fixtures/repository.ts";
import { ACCOUNT, resolve, stackRoles, type Without, withoutEach } from "../fixtures/stack-role.ts";
import { IMAGE, Template } from "../fixtures/template.ts";
import { openTestbed, type Testbed } from "../fixtures/testbed.ts";
import { type Event, runWorker } from "../fixtures/worker.ts";

setDefaultTimeout(60_000);

const codeCommit = "git-codecommit.eu-west-1.amazonaws.com";
const kmsKey = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1234`;
const keys = { accessKeyId: "ASIAEXAMPLE", secretAccessKey: "not-a-secret", sessionToken: "session" };
const repositories = [
  { name: "api", url: "https://git.acme.com/api.git", branch: "followed", collect: ["diffs", "mirror"] },
  { name: "large", url: "https://git.acme.com/large.git", branch: "followed" },
  { name: "legacy", branch: "followed" },
];
/** That of the runs, which are at the end of its last day. */
const month = "2026-01";
const own = worker({ kmsKey });
const foreign = worker({ bucket: "acme-diffs/git" });
const tooLarge = 8 * 1024 ** 2;

/** The second diff of `large` is not to be stored, so that its upload is withdrawn. */
const expected = [...Array(5).fill("collected"), "failed", "mirrored", "mirrored", "summary", "summary"];

let testbed: Testbed;
let certificate: Certificate;
let proxy: ConnectProxy;
let iam: IamEnforcer;
let sources: Repository[];

beforeAll(async () => {
  certificate = await makeCertificate({ names: [codeCommit, "git.acme.com"] });
  testbed = await openTestbed({ tls: certificate });
  iam = await startIamEnforcer(testbed.aws.endpoint, { region: "eu-west-1", account: ACCOUNT });
  proxy = await startConnectProxy({ host: "127.0.0.1", port: testbed.host.port });
  testbed.host.options.authorize = mayPull;
  const bytes = tooLarge * 0.75;
  const large = await testbed.repository("large", bytes);
  sources = [large, await testbed.repository("api"), await testbed.repository("v1/repos/legacy")];
  // The first diff takes two parts. This one exceeds the limit after the first part.
  await large.write("file", "All is quiet.\n".repeat(bytes / 14));
  await large.commit();
});

afterAll(async () => {
  await Promise.all([iam.close(), proxy.close(), certificate.close(), testbed.close()]);
});

describe("the worker's role", () => {
  test("has every permission that a run needs", async () => {
    const { events, uploads } = await collectTwice(own, own.statements);
    expect(iam.denied).toEqual([]);
    expect(events.map(({ event }) => event).sort()).toEqual(expected);
    expect(uploads).toEqual([]);
    expect(await tablesIn(own)).toEqual(own.tables);
  });

  test.each(withoutEach(own.statements))("$name: a run fails, and says why", async (without) => {
    expectFailure(without, await collectTwice(own, without.statements));
  });

  test("does nothing without TLS", () => {
    const putObject = { action: "s3:PutObject", resource: `arn:aws:s3:::${own.bucket}/api/x.diff` };
    const plain = { ...putObject, context: { "aws:SecureTransport": "false" } };
    const policies = { identity: own.statements, resource: own.bucketPolicy };
    expect(denialOf(own.principal, plain, policies)).toMatch(/explicit deny in a resource-based policy$/);
    expect(denialOf(own.principal, plain, { identity: own.statements })).toBeUndefined();
  });
});

describe("the policy for a bucket of another account", () => {
  test("has every permission that a run needs", async () => {
    const { events } = await collectTwice(foreign, foreign.statements);
    expect(iam.denied).toEqual([]);
    expect(events.map(({ event }) => event).sort()).toEqual(expected);
    expect(await tablesIn(foreign)).toEqual(foreign.tables);
  });

  test.each(withoutEach(foreign.bucketPolicy))("$name: a run fails, and says why", async (without) => {
    const denied = { ...foreign, bucketPolicy: without.statements };
    expectFailure(without, await collectTwice(denied, foreign.statements));
  });
});

/** Returns a stack's worker: its role, its bucket's policy and its environment. */
function worker(gitDiff: Record<string, unknown>) {
  const template = new Template({ region: "eu-west-1", image: IMAGE, repositories, ...gitDiff });
  const role = stackRoles(template)["task-all_worker"];
  if (!role) throw new Error("The stack has no role of that name.");
  const policy = template.json.output.bucket_policy?.value;
  const text = resolve(template, policy ?? template.get("aws_s3_bucket_policy.results_policy").policy);
  const bucketPolicy: readonly Statement[] = JSON.parse(text).Statement;
  const variables = template
    .container()
    .environment.map(({ name, value }) => [name, resolve(template, value)] as const);
  const { TMPDIR: _, ...environment }: Record<string, string> = Object.fromEntries(variables);
  const bucket = policy ? "acme-diffs" : `git-diff-results-${ACCOUNT}`;
  const tables = Object.values(template.json.resource.aws_glue_catalog_table ?? {}).map(({ parameters }) => {
    const { "storage.location.template": place = "" } = parameters as Record<string, string>;
    return resolve(template, place.replace("$${month}", month));
  });
  return {
    ...{ ...role, bucketPolicy, environment, bucket, otherAccount: policy !== undefined },
    /** Where Athena looks for the rows of that month. */
    tables: tables.sort(),
  };
}

/** Returns the places where there is a file of a table. */
async function tablesIn({ bucket }: ReturnType<typeof worker>): Promise<string[]> {
  const keys = await testbed.aws.objects(bucket);
  return keys.flatMap((key) =>
    key.endsWith("/all.parquet") ? [`s3://${bucket}/${key.replace("all.parquet", "")}`] : [],
  );
}

function expectFailure({ actions }: Without, { events, uploads }: Awaited<ReturnType<typeof collectTwice>>) {
  expect(iam.denied).not.toEqual([]);
  for (const words of iam.denied) expect(actions).toContain(deniedAction(words));
  if (actions.join() === "ssm:GetParameters") {
    // It saves time: what may not be read at once is read one by one.
    return expect(failures(events)).toEqual([]);
  }
  if (actions.join() === "s3:AbortMultipartUpload") {
    // The run has failed before. The bucket's lifecycle removes what is left.
    expect(failures(events)).toEqual([]);
    return expect(uploads).toEqual([expect.stringMatching(/large\//)]);
  }
  const told = failures(events).map((event) => Object.values(event).join(" "));
  expect(told).not.toEqual([]);
  for (const text of told) expect(actions.filter((name) => text.includes(name))).not.toEqual([]);
}

/** The failures that are due to permissions: all but the one of the diff that is too large. */
const failures = (events: readonly Event[]) =>
  events.filter(({ event, code }) => event === "failed" && code !== "diff-too-large");

/** Collects each repository's first commit, and then the second one, with these permissions. */
async function collectTwice(
  { principal, bucket, bucketPolicy, environment, otherAccount }: ReturnType<typeof worker>,
  statements: readonly Statement[],
) {
  await fetch(`${testbed.aws.motoEndpoint}/moto-api/reset`, { method: "POST" });
  await testbed.aws.createBucket(bucket);
  iam.where.bucketKey = otherAccount ? undefined : kmsKey;
  iam.act(principal, statements, { resource: bucketPolicy, otherAccount });
  const events: Event[] = [];
  for (const commit of ["main~1", "main"]) {
    for (const repository of sources) await repository.git("update-ref", "refs/heads/followed", commit);
    const ran = await runWorker({ ...environment, ...ways() });
    expect(ran.stderr).toBe("");
    events.push(...ran.events);
    if (failures(events).length > 0) break;
  }
  const uploads = (await testbed.aws.uploads(bucket)).map(({ key }) => key);
  return { events, uploads };
}

/** The ways to the emulators. */
function ways(): Record<string, string> {
  return {
    ...testbed.aws.environment,
    AWS_ENDPOINT_URL: iam.endpoint,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_SESSION_TOKEN: keys.sessionToken,
    AWS_MAX_ATTEMPTS: "1",
    HTTPS_PROXY: proxy.url,
    NO_PROXY: "127.0.0.1",
    GIT_SSL_CAINFO: certificate.ca,
    SCHEDULED_TIME: "2026-02-01T00:00:00Z",
    PEOPLE_KEY: "a key of more than sixteen characters",
    MAX_DIFF_BYTES: `${tooLarge}`,
  };
}

/** Stands in for CodeCommit: checks the signature, and then the permission of whoever signed. */
function mayPull({ path, headers }: HostRequest): boolean {
  const [, name] = /^\/v1\/repos\/([^/]+)\//.exec(path) ?? [];
  if (!name) return true;
  const pair = Buffer.from(headers.authorization?.replace(/^Basic /, "") ?? "", "base64").toString();
  const [, time] = /:(\d{8}T\d{6}Z)[0-9a-f]{64}$/.exec(pair) ?? [];
  if (!time) return false;
  const iso = time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const url = `https://${codeCommit}/v1/repos/${name}`;
  const { user, password } = signCodeCommit(url, "eu-west-1", keys, new Date(iso));
  if (pair !== `${user}:${password}`) return false;
  const resource = `arn:aws:codecommit:eu-west-1:${ACCOUNT}:${name}`;
  return iam.allows({ action: "codecommit:GitPull", resource });
}
