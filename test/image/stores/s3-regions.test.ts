import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type AwsCall, toCall } from "../../fixtures/aws-call.ts";
import { forward } from "../../fixtures/forward.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

/** The regions of buckets, one of which is the worker's. */
const regions: Readonly<Record<string, string>> = {
  near: "eu-west-1",
  far: "us-west-2",
  farther: "ap-south-1",
};
const redirected: AwsCall[] = [];
let testbed: Testbed;
let front: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  testbed = await openTestbed();
  for (const name of Object.keys(regions)) await testbed.aws.createBucket(name);
  front = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const call = toCall(request.method, pathname + search, Object.fromEntries(request.headers));
      const region = regions[pathname.split("/")[1] ?? ""];
      const [, asked] =
        /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers.get("authorization") ?? "") ?? [];
      if (call.service === "s3" && region !== undefined && region !== asked) {
        redirected.push(call);
        return elsewhere(region, request.method);
      }
      return forward(request, await request.arrayBuffer(), testbed.aws.endpoint);
    },
  });
});
afterAll(async () => {
  await front?.stop(true);
  await testbed?.close();
});

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html */
function elsewhere(region: string, method: string): Response {
  const message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>PermanentRedirect</Code><Message>${message}</Message></Error>`;
  const headers = { "x-amz-bucket-region": region, "content-type": "application/xml" };
  return new Response(method === "HEAD" ? null : body, { status: 301, headers });
}

test("results go to buckets of several regions at once, and only small requests are sent twice", async () => {
  const repositories = await Promise.all(
    ["api", "large", "web", "docs"].map((name) =>
      testbed.repository(name, name === "large" ? 12 * 1024 ** 2 : 4),
    ),
  );
  expect(repositories).toHaveLength(4);
  const destinations = { api: "near/api", large: "far/large", web: "farther/web", docs: "far/docs" };
  const environment = {
    ...testbed.aws.environment,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${front.port}`,
    AWS_MAX_ATTEMPTS: "1",
    REPOSITORIES: JSON.stringify(
      Object.entries(destinations).map(([name, resultsBucket]) => ({
        gitRepo: testbed.host.url(name),
        parameterName: `/${name}`,
        resultsBucket,
        collect: ["diffs", "mirror"],
      })),
    ),
  };
  const ran = await runWorker(environment);
  expect(ran.events.filter(({ event }) => event === "failed")).toEqual([]);
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  for (const place of Object.values(destinations)) {
    const [bucket = "", name] = place.split("/");
    expect(await testbed.aws.objects(bucket, `${name}.git/objects/pack/`)).toHaveLength(2);
  }
  expect(redirected.length).toBeGreaterThan(0);
  const bytes = redirected.map(({ headers }) => Number(headers["content-length"] ?? 0));
  expect(Math.max(...bytes)).toBeLessThan(10_000);
  expect((await runWorker(environment, { args: ["verify"] })).status).toBe(0);
});
