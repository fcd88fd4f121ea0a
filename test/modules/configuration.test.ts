import { describe, expect, test } from "bun:test";
import { readEnvironment } from "../../image/config/environment.ts";
import { parse } from "../../modules/configuration.ts";
import { IMAGE } from "../fixtures/template.ts";

const subnets = ["subnet-01234567"];
const api = { name: "api", url: "https://github.com/acme/api.git" };
const smallest = { region: "eu-west-1", repositories: [api] };

/** What is said about a configuration that has to be refused. */
function refusal(gitDiff: unknown): string {
  try {
    parse(gitDiff);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`This should have been refused: ${JSON.stringify(gitDiff)}`);
}

test("two lines are a whole configuration", () => {
  expect(parse(smallest)).toEqual({
    region: "eu-west-1",
    name: "git-diff",
    tags: {},
    image: "build",
    cpu: 1024,
    memory: 2048,
    logRetentionDays: 30,
    collections: [{ name: "all", schedule: "cron(0 0 * * ? *)", timezone: "UTC", repositories: [api] }],
  });
});

test("every key is accepted", () => {
  const everything = {
    region: "us-gov-west-1",
    name: "diffs",
    tags: { team: "platform", "cost-center": "42" },
    image: IMAGE,
    network: { subnets: ["subnet-0123456789abcdef0"], securityGroups: ["sg-01234567"], publicIp: true },
    cpu: 512,
    memory: 3072,
    logRetentionDays: 90,
    resultRetentionDays: 400,
    kmsKey: "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd",
    state: { bucket: "acme-state", key: "x/y.tfstate", region: "eu-west-1" },
    collections: [
      {
        name: "hourly",
        schedule: "rate(1 hour)",
        timezone: "Europe/Berlin",
        repositories: [
          { ...api, branch: "release/2.x", credentials: "host" },
          { name: "acme/web", url: "https://git.acme.com:8443/web.git", credentials: "repository" },
          { name: "legacy", create: true },
        ],
      },
    ],
  };
  expect(parse(everything)).toEqual(everything as never);
});

// Each: what is wrong, how much else is changed, and the line that says so: property, value, rule, remedy.
const wrong: [string, object, RegExp][] = [
  [
    "an unknown key",
    { regoin: "x" },
    /gitDiff\.regoin \(not shown\) is not known here; remove it, or write one of region, name,/,
  ],
  [
    "an unknown key of a repository",
    { repositories: [{ ...api, brnach: "x" }] },
    /gitDiff\.repositories\[0\]\.brnach \(not shown\) is not known here; .*branch/,
  ],
  [
    "a missing region",
    { region: undefined },
    /gitDiff\.region \(missing\) is not an AWS region; write "eu-west-1"/,
  ],
  ["an unlikely region", { region: "Ireland" }, /gitDiff\.region = "Ireland" is not an AWS region; write/],
  [
    "no repositories at all",
    { repositories: undefined },
    /gitDiff\.repositories \(missing\) names nothing to collect; write/,
  ],
  [
    "an empty list of repositories",
    { repositories: [] },
    /gitDiff\.repositories = \[\] has no repository in it; write/,
  ],
  [
    "repositories that are no list",
    { repositories: "api" },
    /gitDiff\.repositories = "api" is not a list of repositories; write/,
  ],
  [
    "an empty list of collections",
    { repositories: undefined, collections: [] },
    /gitDiff\.collections = \[\] is empty; write/,
  ],
  [
    "both forms",
    { collections: [{ name: "a1", repositories: [{ ...api, name: "b" }] }] },
    /gitDiff\.repositories = .* stands beside collections.*; move it/,
  ],
  [
    "duplicate names",
    { repositories: [api, api] },
    /gitDiff\.repositories\[1\]\.name = "api" is the name of another one too; write/,
  ],
  [
    "duplicate names in two collections",
    {
      repositories: undefined,
      collections: [
        { name: "c1", repositories: [api] },
        { name: "c2", repositories: [api] },
      ],
    },
    /gitDiff\.collections\[1\]\.repositories\[0\]\.name = "api" is the name of another/,
  ],
  [
    "duplicate collections",
    {
      repositories: undefined,
      collections: [
        { name: "c1", repositories: [api] },
        { name: "c1", repositories: [{ ...api, name: "b" }] },
      ],
    },
    /gitDiff\.collections\[1\]\.name = "c1" is the name of another/,
  ],
  [
    "diffs within diffs",
    { repositories: [api, { ...api, name: "api/web" }] },
    /repositories\[1\]\.name = "api\/web" would put its diffs among those of "api"; write/,
  ],
  [
    "a name that is no path",
    { repositories: [{ ...api, name: "../api" }] },
    /repositories\[0\]\.name = "\.\.\/api" cannot be the path of an SSM parameter and an S3 prefix.*; write "api"/,
  ],
  [
    "a name kept for step records",
    { repositories: [{ ...api, name: "api/_steps" }] },
    /repositories\[0\]\.name = "api\/_steps" cannot be the path/,
  ],
  [
    "a name with a blank",
    { repositories: [{ ...api, name: "my api" }] },
    /repositories\[0\]\.name = "my api" cannot be the path/,
  ],
  [
    "a name five levels deep",
    { repositories: [{ ...api, name: "a/b/c/d/e" }] },
    /repositories\[0\]\.name = "a\/b\/c\/d\/e" cannot be the path/,
  ],
  [
    "a CodeCommit name with a slash",
    { repositories: [{ name: "acme/api" }] },
    /repositories\[0\]\.name = "acme\/api" cannot be a CodeCommit repository, which it is without a url; write the url/,
  ],
  [
    "a URL with a password",
    { repositories: [{ ...api, url: "https://me:hunter2@github.com/acme/api.git" }] },
    /repositories\[0\]\.url = "https:\/\/\*\*\*@github\.com\/acme\/api\.git" carries a user or password.*; remove it, write "credentials": "host"/,
  ],
  [
    "a URL of ssh",
    { repositories: [{ ...api, url: "ssh://git@github.com/acme/api.git" }] },
    /repositories\[0\]\.url = .* is not HTTPS.*; write it like/,
  ],
  [
    "a URL without a path",
    { repositories: [{ ...api, url: "https://github.com" }] },
    /repositories\[0\]\.url = .* is not a clone URL/,
  ],
  [
    "an scp-like URL",
    { repositories: [{ ...api, url: "git@github.com:acme/api.git" }] },
    /repositories\[0\]\.url = .* is not a URL; write it like/,
  ],
  [
    "a branch git would refuse",
    { repositories: [{ ...api, branch: "a..b" }] },
    /repositories\[0\]\.branch = "a\.\.b" is not a name that git gives a branch; write/,
  ],
  [
    "a branch that is an option",
    { repositories: [{ ...api, branch: "--upload-pack=x" }] },
    /repositories\[0\]\.branch = .* is not a name that git/,
  ],
  [
    "credentials of neither kind",
    { repositories: [{ ...api, credentials: "user:hunter2" }] },
    /repositories\[0\]\.credentials .* is not one of "host".*; write one/,
  ],
  [
    "credentials for CodeCommit",
    { repositories: [{ name: "legacy", credentials: "host" }] },
    /repositories\[0\]\.credentials = "host" is of no use to CodeCommit.*; remove it/,
  ],
  [
    "credentials in one variable",
    {
      repositories: [
        { ...api, credentials: "repository" },
        { ...api, name: "API", credentials: "repository" },
      ],
    },
    /repositories\[1\]\.credentials = "repository" would be handed over as GIT_HTTP_CREDENTIALS_API, as are those of "api"; write/,
  ],
  [
    "creating what lies elsewhere",
    { repositories: [{ ...api, create: true }] },
    /repositories\[0\]\.create = true makes a repository in CodeCommit.*; remove one/,
  ],
  [
    "a schedule of five fields",
    { schedule: "cron(0 0 * * *)" },
    /gitDiff\.schedule = "cron\(0 0 \* \* \*\)" has 5 fields; AWS wants six/,
  ],
  [
    "an unknown time zone",
    { timezone: "Mars/Olympus" },
    /gitDiff\.timezone = "Mars\/Olympus" is not a time zone that AWS knows; write/,
  ],
  [
    "an impossible pair",
    { cpu: 256, memory: 4096 },
    /gitDiff\.memory = 4096 is not an amount of memory \(MiB\) that Fargate has with cpu 256; write 512, 1024, 2048/,
  ],
  [
    "an impossible cpu",
    { cpu: 1000 },
    /gitDiff\.cpu = 1000 is not a number of CPU units that Fargate has; write one of 256,/,
  ],
  [
    "an image without a digest",
    { image: "ghcr.io/acme/git-diff:1.2" },
    /gitDiff\.image = "ghcr\.io\/acme\/git-diff:1\.2" is neither "build" nor an image with its digest.*; write/,
  ],
  [
    "a name AWS keeps for itself",
    { name: "aws-diffs" },
    /gitDiff\.name = "aws-diffs" cannot begin every resource's name.*; write/,
  ],
  ["a name too long", { name: "a".repeat(33) }, /gitDiff\.name = "a+" cannot begin/],
  [
    "a collection's name in capitals",
    { repositories: undefined, collections: [{ name: "Daily", repositories: [api] }] },
    /gitDiff\.collections\[0\]\.name = "Daily" cannot be part of resource names.*; write/,
  ],
  ["a tag of AWS's own", { tags: { "aws:x": "y" } }, /gitDiff\.tags\.aws:x = "y" is not a tag's key; write/],
  ["a tag that is a number", { tags: { cost: 1 } }, /gitDiff\.tags\.cost = 1 is not a tag's value; write/],
  [
    "a subnet without a group",
    { network: { subnets: ["subnet-01234567"] } },
    /gitDiff\.network\.securityGroups \(missing\) is not a list.*; write/,
  ],
  [
    "a subnet's name",
    { network: { subnets: ["private-a"], securityGroups: ["sg-01234567"] } },
    /gitDiff\.network\.subnets\[0\] = "private-a" is not the id of a subnet; write/,
  ],
  [
    "too many security groups",
    { network: { subnets, securityGroups: Array(6).fill("sg-01234567") } },
    /gitDiff\.network\.securityGroups = \[.*\] is not a list of 1 to 5 ids; write/,
  ],
  [
    "a key that may hold a secret",
    { repositories: [{ ...api, password: "hunter2" }] },
    /repositories\[0\]\.password \(not shown\) is not known here; remove it/,
  ],
  [
    "days that CloudWatch has not",
    { logRetentionDays: 31 },
    /gitDiff\.logRetentionDays = 31 is not a number of days that CloudWatch Logs has; write/,
  ],
  [
    "results kept for no day",
    { resultRetentionDays: 0 },
    /gitDiff\.resultRetentionDays = 0 is less than a day; write/,
  ],
  [
    "a key of another region",
    { kmsKey: "arn:aws:kms:us-east-1:123456789012:key/1234" },
    /gitDiff\.kmsKey = .* lies in us-east-1, where nothing in eu-west-1 can use it; write a key of eu-west-1/,
  ],
  [
    "what Terraform would read as its own, in a branch",
    { repositories: [{ ...api, branch: "a%{b}" }] },
    /repositories\[0\]\.branch = "a%\{b\}" has \$\{ or %\{ in it.*; rename it/,
  ],
  [
    "what Terraform would read as its own, in the key of the state",
    { state: { bucket: "acme-state", key: "%{x}" } },
    /gitDiff\.state\.key = "%\{x\}" is not the key of an object, or has.*; write/,
  ],
  [
    "a key's alias",
    { kmsKey: "alias/mine" },
    /gitDiff\.kmsKey = "alias\/mine" is not the ARN of a KMS key; write/,
  ],
  [
    "a state bucket in capitals",
    { state: { bucket: "State" } },
    /gitDiff\.state\.bucket = "State" is not the name of a bucket; write/,
  ],
];

test.each(wrong)("refuses %s", (_, change, line) => {
  const message = refusal({ ...smallest, ...change });
  expect(message).toMatch(line);
  expect(message).toStartWith("cdktf.json, context: 1 mistake\n");
  expect(message).not.toContain("hunter2");
});

const secret = "me:hunter2";
test.each([
  { repositories: [{ ...api, url: "https://me:p@hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https://me:hun/hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https:me:hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https:\\\\me:hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https://github.com/a.git?token=hunter2" }] },
  { repositories: [{ name: "legacy", credentials: secret }] },
  { repositories: { ...api, credentials: secret } },
  { repositories: [{ ...api, credentials: secret }], collections: [] },
  { repositories: [{ ...api, credentials: { password: "hunter2" } }] },
  { repositories: [{ ...api, pat: "hunter2" }] },
  { auth: { password: "hunter2" } },
])("repeats no secret of %j", (change) => {
  expect(refusal({ ...smallest, ...change })).not.toContain("hunter2");
});

/** In reach of what the worker refuses; whatever of it synthesis lets pass, the worker has to take. */
test.each([
  ...[" https://h/a.git", "https://h/a.git\n", "https://h/my a.git", "https:h/a.git", "https:\\\\h\\a.git"],
  ...[
    "HTTPS://H/a.git",
    "https://h/a.git?",
    "https://h/a#",
    "https://h/%{a}",
    "https://h:8443/a/",
    "https://[::1]/a",
  ],
])("the worker takes the URL %j, or synthesis refuses it", (url) => {
  expect(agreed({ ...api, url })).toBe(true);
});
test.each([
  "@",
  "a.lock/b",
  "a\u0007b",
  "a.lock",
  "-a",
  "a b",
  "a/.b",
  "a..b",
  "a{b",
  "a@b",
  "ä",
  "x/y/z",
  "a$b",
])("the worker takes the branch %j, or synthesis refuses it", (branch) => {
  expect(agreed({ ...api, branch })).toBe(true);
});

function agreed(repository: { url: string; branch?: string }): boolean {
  try {
    parse({ ...smallest, repositories: [repository] });
  } catch {
    return true;
  }
  const { url: gitRepo, branch: gitBranch } = repository;
  const REPOSITORIES = JSON.stringify([
    { gitRepo, gitBranch, parameterName: "/a/b", resultsBucket: "bucket/b" },
  ]);
  return readEnvironment({ REPOSITORIES }, new Date()).repositories.length === 1;
}

test("nothing at all is refused in the same words", () => {
  expect(refusal(undefined)).toContain("gitDiff.region (missing)");
  expect(refusal("eu-west-1")).toContain("is not an object");
});

test("says everything that is wrong at once", () => {
  const message = refusal({
    region: 7,
    cpu: 256,
    memory: 9,
    timezone: "x",
    repositories: [{ ...api, url: 1 }, api, { name: "api", colour: "red" }],
  });
  expect(message.split("\n")).toEqual([
    "cdktf.json, context: 7 mistakes",
    expect.stringMatching(/^ {2}gitDiff\.region = 7 /),
    expect.stringMatching(/^ {2}gitDiff\.timezone = "x" /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[0\]\.url = 1 /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[2\]\.colour \(not shown\) /),
    expect.stringMatching(/^ {2}gitDiff\.memory = 9 /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[1\]\.name = "api" /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[2\]\.name = "api" /),
  ]);
});

describe("what looks odd and is right", () => {
  test.each([
    { repositories: [{ ...api, branch: "x" }] },
    { repositories: [{ ...api, branch: "feature/été" }] },
    { repositories: [{ ...api, url: "https://git.acme.com:8443/scm/a/b" }] },
    { repositories: [{ name: "Legacy_2.x" }] },
    { cpu: 16384, memory: 122880 },
    { image: "registry.acme.com:5000/tools/git-diff:1.2@sha256:".padEnd(113, "0") },
  ])("%j", (change) => {
    expect(() => parse({ ...smallest, ...change })).not.toThrow();
  });
});
