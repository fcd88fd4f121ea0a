import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readEnvironment } from "../../image/config/environment.ts";
import { parse, parseOne } from "../fixtures/configuration.ts";
import { IMAGE } from "../fixtures/template.ts";

const subnets = ["subnet-01234567"];
const api = { name: "api", url: "https://github.com/acme/api.git" };
const smallest = { region: "eu-west-1", repositories: [api] };

const tags = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`tag${index}`, "x"]));

/** Returns the error message for an invalid configuration. */
function errorMessage(gitDiff: unknown): string {
  try {
    parse(gitDiff);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`This should be invalid: ${JSON.stringify(gitDiff)}`);
}

test("region and repositories are a complete configuration", () => {
  expect(parseOne(smallest)).toMatchObject({
    region: "eu-west-1",
    name: "git-diff",
    tags: {},
    image: "build",
    logRetentionDays: 30,
    tables: { people: "hash", hunks: false },
    collections: [
      {
        name: "all",
        schedule: "cron(0 0 * * ? *)",
        timezone: "UTC",
        paused: false,
        cpu: 1024,
        memory: 2048,
        repositories: [api],
      },
    ],
  });
});

const settings = {
  schedule: "rate(1 hour)",
  timezone: "Europe/Berlin",
  flexibleWindowMinutes: 15,
  paused: true,
  cpu: 512,
  memory: 3072,
  diskGiB: 100,
  concurrency: 4,
  timeoutSeconds: 600,
  hostConcurrency: 2,
  hostRequestsPerSecond: 10,
  maxDiffBytes: 1024,
  maxPackBytes: 2048,
  onGoneCommit: "fail",
  binary: "include",
} as const;

test("every key is accepted", () => {
  const everything = {
    region: "us-gov-west-1",
    name: "diffs",
    tags: { team: "platform", "cost-center": "42" },
    image: IMAGE,
    network: {
      subnets: ["subnet-0123456789abcdef0"],
      securityGroups: ["sg-01234567"],
      publicIp: true,
      proxy: "http://proxy.acme.com:3128",
      noProxy: [".acme.com"],
    },
    cluster: "shared",
    accessLogs: "acme-access-logs",
    alarms: ["ops@acme.com"],
    permissionsBoundary: "arn:aws-us-gov:iam::123456789012:policy/bounds/developer",
    rolePath: "/acme/data/",
    logRetentionDays: 90,
    resultRetentionDays: 400,
    kmsKey: "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd",
    tables: { people: "omit", hunks: true },
    state: { bucket: "acme-state", key: "x/y.tfstate", region: "eu-west-1" },
    collections: [
      {
        name: "hourly",
        ...settings,
        repositories: [
          { name: "acme/web", url: "https://git.acme.com:8443/web.git", credentials: "repository" },
          { ...api, branch: "release/2.x", credentials: "host" },
          { name: "legacy", create: true },
        ],
      },
    ],
  };
  expect(parseOne(everything)).toEqual(everything as never);
});

test("what stands beside the collections applies to each that does not say otherwise", () => {
  const { collections } = parseOne({
    region: "eu-west-1",
    ...settings,
    collections: [
      { name: "ours", repositories: [api] },
      { name: "other", cpu: 1024, timezone: "UTC", paused: false, repositories: [{ ...api, name: "b" }] },
    ],
  });
  expect(collections).toEqual([
    {
      name: "other",
      ...settings,
      cpu: 1024,
      timezone: "UTC",
      paused: false,
      repositories: [{ ...api, name: "b" }],
    },
    { name: "ours", ...settings, repositories: [api] },
  ]);
});

test("the order of repositories and collections makes no difference", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => ({ ...api, name }));
  const of = (...collections: unknown[]) => parseOne({ region: "eu-west-1", collections });
  expect(of({ name: "one", repositories: [b, a] }, { name: "two", repositories: [c] })).toEqual(
    of({ name: "two", repositories: [c] }, { name: "one", repositories: [a, b] }),
  );
});

test("a list is a stack for each environment, whose names differ", () => {
  const [dev, prod] = ["dev", "prod"].map((name) => ({ ...smallest, name }));
  expect(parse([dev, prod]).map(({ name }) => name)).toEqual(["dev", "prod"]);
  expect(errorMessage([dev, dev])).toContain('gitDiff[1].name = "dev" is used twice; use a unique name');
  expect(errorMessage([dev, { ...prod, cpu: 1 }])).toContain(
    "gitDiff[1].cpu = 1 is not a number of CPU units",
  );
  expect(errorMessage([])).toContain("gitDiff = [] is empty; write {");
});

const largeFile = join(mkdtempSync(join(tmpdir(), "certificates-")), "all.pem");
const certificate = `-----BEGIN CERTIFICATE-----\n${"A".repeat(2000)}\n-----END CERTIFICATE-----\n`;
writeFileSync(largeFile, certificate.repeat(9));
afterAll(() => rmSync(dirname(largeFile), { recursive: true }));

// Each: what is wrong, the change, and the expected line with property, value, rule and remedy.
const wrong: [string, object, RegExp][] = [
  [
    "an unknown key",
    { colour: "x" },
    /gitDiff\.colour \(not shown\) is not a known key; remove it, or use one of region, account, name,/,
  ],
  ["a misspelt key", { regoin: "x" }, /gitDiff\.regoin \(not shown\) is not a known key; write "region"$/],
  [
    "a key in another style",
    { "log-retention-days": 30 },
    /gitDiff\.log-retention-days \(not shown\) is not a known key; write "logRetentionDays"$/,
  ],
  [
    "an unknown key of a repository",
    { repositories: [{ ...api, brnach: "x" }] },
    /gitDiff\.repositories\[0\]\.brnach \(not shown\) is not a known key; write "branch"/,
  ],
  [
    "a missing region",
    { region: undefined },
    /gitDiff\.region \(missing\) is not an AWS region; use one such as "eu-west-1"/,
  ],
  ["an unlikely region", { region: "Ireland" }, /gitDiff\.region = "Ireland" is not an AWS region; use one/],
  [
    "no repositories at all",
    { repositories: undefined },
    /gitDiff\.repositories \(missing\) is required; write/,
  ],
  ["an empty list of repositories", { repositories: [] }, /gitDiff\.repositories = \[\] is empty; write/],
  [
    "repositories that are no list",
    { repositories: "api" },
    /gitDiff\.repositories = "api" is not a list of repositories; write/,
  ],
  [
    "an empty list of collections",
    { repositories: undefined, collections: [] },
    /gitDiff\.collections = \[\] is empty; add a collection/,
  ],
  [
    "both forms",
    { collections: [{ name: "a1", repositories: [{ ...api, name: "b" }] }] },
    /gitDiff\.repositories = .* cannot be combined with collections.*; move it/,
  ],
  [
    "a size of a collection's own that Fargate does not offer",
    {
      repositories: undefined,
      cpu: 256,
      memory: 512,
      collections: [{ name: "c1", memory: 8192, repositories: [api] }],
    },
    /gitDiff\.collections\[0\]\.memory = 8192 is not an amount of memory \(MiB\) that Fargate offers with cpu 256/,
  ],
  [
    "a VPC beside a network",
    { vpc: {}, network: { subnets, securityGroups: ["sg-01234567"] } },
    /gitDiff\.vpc = \{\} is a VPC to be created, which network replaces; remove one of the two/,
  ],
  [
    "a retention for a bucket that is there",
    { bucket: "acme-diffs", resultRetentionDays: 9 },
    /gitDiff\.resultRetentionDays = 9 is for a bucket to be created, which bucket replaces; remove one/,
  ],
  [
    "access logs of a bucket that is there",
    { bucket: "acme-diffs", accessLogs: "acme-logs" },
    /gitDiff\.accessLogs = "acme-logs" is for a bucket to be created, which bucket replaces; remove one/,
  ],
  [
    "a block of addresses that is too small",
    { vpc: { cidr: "10.0.0.0/28" } },
    /gitDiff\.vpc\.cidr = "10\.0\.0\.0\/28" is not a block of IPv4 addresses from \/16 to \/27; use one/,
  ],
  [
    "a block of addresses that begins within another",
    { vpc: { cidr: "10.0.0.9/24" } },
    /gitDiff\.vpc\.cidr = "10\.0\.0\.9\/24" does not begin where .*; use "10\.0\.0\.0\/24"/,
  ],
  [
    "a proxy with a password",
    { network: { subnets, securityGroups: ["sg-01234567"], proxy: "http://me:hunter2@proxy:3128" } },
    /gitDiff\.network\.proxy = "http:\/\/\*\*\*@proxy:3128" is neither the address of a proxy/,
  ],
  [
    "certificates that are not there",
    { certificates: "missing.pem" },
    /gitDiff\.certificates = "missing\.pem" cannot be read; write the path of a file/,
  ],
  [
    "more certificates than one's own",
    { certificates: largeFile },
    /gitDiff\.certificates = .* has more than 16 KiB of certificates; keep only those of your own authority/,
  ],
  [
    "a secret without the end of its ARN",
    { repositories: [{ ...api, credentials: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:git" }] },
    /repositories\[0\]\.credentials \(not shown\) is neither "host"/,
  ],
  [
    "certificates that are none",
    { certificates: "package.json" },
    /gitDiff\.certificates = "package\.json" has no certificate in PEM; use/,
  ],
  [
    "an e-mail address without brackets",
    { alarms: "ops@acme.com" },
    /gitDiff\.alarms = "\*\*\*@acme\.com" is neither a list of e-mail addresses nor the ARN of a topic; use \["ops@acme\.com"\]/,
  ],
  ["an address that is none", { alarms: ["ops"] }, /gitDiff\.alarms.* is neither a list of e-mail addresses/],
  [
    "a boundary that is no policy",
    { permissionsBoundary: "developer" },
    /gitDiff\.permissionsBoundary = "developer" is not the ARN of a policy; use "arn:aws:iam::/,
  ],
  [
    "a path without slashes",
    { rolePath: "acme" },
    /gitDiff\.rolePath = "acme" is not the path of a role; use one/,
  ],
  ["a bucket's URL", { bucket: "s3://acme" }, /gitDiff\.bucket = "s3:\/\/acme" is neither a bucket nor/],
  [
    "a cluster's ARN",
    { cluster: "arn:aws:ecs:x" },
    /gitDiff\.cluster = "arn:aws:ecs:x" is not the name of an ECS/,
  ],
  [
    "a disk that Fargate does not offer",
    { diskGiB: 20 },
    /gitDiff\.diskGiB = 20 is not a whole number of GiB from 21 to 200; use 100/,
  ],
  ["half a repository at a time", { concurrency: 0.5 }, /gitDiff\.concurrency = 0\.5 is not a whole number/],
  [
    "an unknown way with binary files",
    { binary: true },
    /gitDiff\.binary = true is neither "omit" nor "include"/,
  ],
  ["a pause in words", { paused: "yes" }, /gitDiff\.paused = "yes" is not true or false; use true/],
  [
    "a name within a mirror",
    {
      repositories: [
        { ...api, collect: ["mirror"] },
        { ...api, name: "api.git" },
      ],
    },
    /repositories\[1\]\.name = "api\.git" would store its results in the mirror of "api"; use another name/,
  ],
  [
    "refs without a mirror",
    { repositories: [{ ...api, refs: ["refs/heads/"] }] },
    /repositories\[0\]\.refs = \[.*\] has no effect without a mirror; add "collect"/,
  ],
  [
    "large files without a mirror",
    { repositories: [{ ...api, lfs: false }] },
    /repositories\[0\]\.lfs = false has no effect without a mirror; add "collect"/,
  ],
  [
    "large files in words",
    { repositories: [{ ...api, collect: ["mirror"], lfs: "no" }] },
    /repositories\[0\]\.lfs = "no" is not true or false; use false for a mirror without large files/,
  ],
  [
    "something else to collect",
    { repositories: [{ ...api, collect: "mirror" }] },
    /repositories\[0\]\.collect = "mirror" is not a list of "diffs" and "mirror"; write/,
  ],
  [
    "a branch as the beginning of refs",
    { repositories: [{ ...api, collect: ["mirror"], refs: ["main"] }] },
    /repositories\[0\]\.refs\[0\] = "main" is not a list of beginnings of refs; write/,
  ],
  [
    "duplicate names",
    { repositories: [api, api] },
    /gitDiff\.repositories\[1\]\.name = "api" is used twice; use a unique name/,
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
    /gitDiff\.collections\[1\]\.repositories\[0\]\.name = "api" is used twice/,
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
    /gitDiff\.collections\[1\]\.name = "c1" is used twice/,
  ],
  [
    "diffs within diffs",
    { repositories: [api, { ...api, name: "api/web" }] },
    /repositories\[1\]\.name = "api\/web" would store its diffs among those of "api"; use another name/,
  ],
  [
    "a name that is no path",
    { repositories: [{ ...api, name: "../api" }] },
    /repositories\[0\]\.name = "\.\.\/api" cannot be the path of an SSM parameter and an S3 prefix.*such as "api"/,
  ],
  [
    "a name reserved for step records",
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
    /repositories\[0\]\.name = "acme\/api" is not a valid CodeCommit name, and without a url the repository is in CodeCommit; add the url/,
  ],
  [
    "a URL with a password",
    { repositories: [{ ...api, url: "https://me:hunter2@github.com/acme/api.git" }] },
    /repositories\[0\]\.url = "https:\/\/\*\*\*@github\.com\/acme\/api\.git" contains a user or password.*; remove it, add "credentials": "host"/,
  ],
  [
    "a URL of ssh",
    { repositories: [{ ...api, url: "ssh://git@github.com/acme/api.git" }] },
    /repositories\[0\]\.url = .* is not HTTPS.*; write "https:\/\/github\.com\/acme\/api\.git"/,
  ],
  [
    "a URL without a path",
    { repositories: [{ ...api, url: "https://github.com" }] },
    /repositories\[0\]\.url = .* is not a clone URL/,
  ],
  [
    "an scp-like URL",
    { repositories: [{ ...api, url: "git@github.com:acme/api.git" }] },
    /repositories\[0\]\.url = .* is not a URL; write "https:\/\/github\.com\/acme\/api\.git"/,
  ],
  [
    "a URL without HTTPS",
    { repositories: [{ ...api, url: "http://git.acme.com:8080/acme/api.git" }] },
    /repositories\[0\]\.url = .* is not HTTPS.*; write "https:\/\/git\.acme\.com\/acme\/api\.git"/,
  ],
  [
    "a URL without a protocol",
    { repositories: [{ ...api, url: "github.com/acme/api" }] },
    /repositories\[0\]\.url = .* is not a URL; write "https:\/\/github\.com\/acme\/api"/,
  ],
  [
    "the address of a page",
    { repositories: [{ ...api, url: "https://github.com/acme/api/tree/main" }] },
    /repositories\[0\]\.url = .* is a page about the repository.*; write "https:\/\/github\.com\/acme\/api\.git"/,
  ],
  [
    "the address of a page of GitLab",
    { repositories: [{ ...api, url: "https://gitlab.acme.com/a/b/api/-/tree/main" }] },
    /repositories\[0\]\.url = .* is a page about.*; write "https:\/\/gitlab\.acme\.com\/a\/b\/api\.git"/,
  ],
  [
    "a ref as a branch",
    { repositories: [{ ...api, branch: "refs/heads/release/2.x" }] },
    /repositories\[0\]\.branch = "refs\/heads\/release\/2\.x" is a ref; write the branch alone: "release\/2\.x"/,
  ],
  [
    "a tag as a branch",
    { repositories: [{ ...api, branch: "refs/tags/v1" }] },
    /repositories\[0\]\.branch = "refs\/tags\/v1" is a ref of another kind; write a branch/,
  ],
  [
    "HEAD as a branch",
    { repositories: [{ ...api, branch: "HEAD" }] },
    /repositories\[0\]\.branch = "HEAD" is what is followed without a branch; remove it/,
  ],
  [
    "an invalid branch name",
    { repositories: [{ ...api, branch: "a..b" }] },
    /repositories\[0\]\.branch = "a\.\.b" is not a name that git accepts for a branch; write/,
  ],
  [
    "a branch that looks like an option",
    { repositories: [{ ...api, branch: "--upload-pack=x" }] },
    /repositories\[0\]\.branch = .* is not a name that git/,
  ],
  [
    "unknown credentials",
    { repositories: [{ ...api, credentials: "user:hunter2" }] },
    /repositories\[0\]\.credentials \(not shown\) is neither "host".* nor the ARN.*; use one/,
  ],
  [
    "credentials for CodeCommit",
    { repositories: [{ name: "legacy", credentials: "host" }] },
    /repositories\[0\]\.credentials = "host" has no effect for CodeCommit.*; remove it/,
  ],
  [
    "two credentials with one variable",
    {
      repositories: [
        { ...api, credentials: "repository" },
        { ...api, name: "API", credentials: "repository" },
      ],
    },
    /repositories\[1\]\.credentials = "repository" would use the variable GIT_HTTP_CREDENTIALS_API, which the credentials of "api" use already; use/,
  ],
  [
    "create with a url",
    { repositories: [{ ...api, create: true }] },
    /repositories\[0\]\.create = true creates a repository in CodeCommit.*; remove one/,
  ],
  [
    "a schedule of five fields",
    { schedule: "cron(0 0 * * *)" },
    /gitDiff\.schedule = "cron\(0 0 \* \* \*\)" has 5 fields; AWS requires six/,
  ],
  [
    "an unknown time zone",
    { timezone: "Mars/Olympus" },
    /gitDiff\.timezone = "Mars\/Olympus" is not a time zone that AWS supports; use/,
  ],
  [
    "a size that Fargate does not offer",
    { cpu: 256, memory: 4096 },
    /gitDiff\.memory = 4096 is not an amount of memory \(MiB\) that Fargate offers with cpu 256; use 512, 1024, 2048/,
  ],
  [
    "CPU units that Fargate does not offer",
    { cpu: 1000 },
    /gitDiff\.cpu = 1000 is not a number of CPU units that Fargate offers; use one of 256,/,
  ],
  [
    "an image without a digest",
    { image: "ghcr.io/acme/git-diff:1.2" },
    /gitDiff\.image = "ghcr\.io\/acme\/git-diff:1\.2" is neither "build" nor an image with its digest.*; use/,
  ],
  [
    "a name that AWS reserves",
    { name: "aws-diffs" },
    /gitDiff\.name = "aws-diffs" cannot be the prefix of resource names.*such as/,
  ],
  ["a name too long", { name: "a".repeat(33) }, /gitDiff\.name = "a+" cannot be the prefix/],
  [
    "a collection's name in capitals",
    { repositories: undefined, collections: [{ name: "Daily", repositories: [api] }] },
    /gitDiff\.collections\[0\]\.name = "Daily" cannot be part of resource names.*such as/,
  ],
  [
    "a tag that AWS reserves",
    { tags: { "aws:x": "y" } },
    /gitDiff\.tags\.aws:x = "y" is not a valid tag key; use/,
  ],
  ["a tag that is a number", { tags: { cost: 1 } }, /gitDiff\.tags\.cost = 1 is not a valid tag value; use/],
  [
    "subnets without security groups",
    { network: { subnets: ["subnet-01234567"] } },
    /gitDiff\.network\.securityGroups \(missing\) is not a list.*; use/,
  ],
  [
    "a subnet's name",
    { network: { subnets: ["private-a"], securityGroups: ["sg-01234567"] } },
    /gitDiff\.network\.subnets\[0\] = "private-a" is not the id of a subnet; use/,
  ],
  [
    "too many security groups",
    { network: { subnets, securityGroups: [1, 2, 3, 4, 5, 6].map((n) => `sg-0123456${n}`) } },
    /gitDiff\.network\.securityGroups = \[.*\] is not a list of 1 to 5 ids; use/,
  ],
  [
    "a subnet twice",
    { network: { subnets: ["subnet-01234567", "subnet-01234567"], securityGroups: ["sg-01234567"] } },
    /gitDiff\.network\.subnets\[1\] = "subnet-01234567" is there twice; remove one of the two/,
  ],
  [
    "a security group twice",
    { network: { subnets, securityGroups: ["sg-01234567", "sg-01234567"] } },
    /gitDiff\.network\.securityGroups\[1\] = "sg-01234567" is there twice; remove one of the two/,
  ],
  [
    "a security group that is no list",
    { network: { subnets, securityGroups: "sg-01234567" } },
    /gitDiff\.network\.securityGroups = "sg-01234567" is not a list of 1 to 5 ids; use/,
  ],
  [
    "an address twice",
    { alarms: ["ops@acme.com", "ops@acme.com"] },
    /gitDiff\.alarms\[1\] = "\*\*\*@acme\.com" is there twice; remove one of the two/,
  ],
  [
    "two addresses that differ in punctuation",
    { alarms: ["first.ops@acme.com", "first-ops@acme.com", "first+ops@acme.com"] },
    /gitDiff\.alarms\[2\] = "\*\*\*@acme\.com" differs from alarms\[0\] only in punctuation.*; remove it, and subscribe it/,
  ],
  [
    "an archive without a mirror",
    { repositories: [{ ...api, archiveRefs: true }] },
    /repositories\[0\]\.archiveRefs = true has no effect without a mirror; add "collect"/,
  ],
  [
    "an archive where the host has one",
    { repositories: [{ ...api, collect: ["mirror"], archiveRefs: true, refs: ["refs/archive/"] }] },
    /repositories\[0\]\.archiveRefs = true would keep refs below refs\/archive\/, which refs has of the host; remove one/,
  ],
  [
    "an account's name",
    { account: "acme-prod" },
    /gitDiff\.account = "acme-prod" is not the number of an AWS account; write its 12 digits/,
  ],
  [
    "an account's number without quotes",
    { account: 123456789012 },
    /gitDiff\.account = 123456789012 is not the number of an AWS account; write its 12 digits in quotes/,
  ],
  [
    "two secrets of one name",
    {
      repositories: ["eu-west-1", "us-east-1"].map((region, index) => ({
        ...api,
        name: `api${index}`,
        credentials: `arn:aws:ssm:${region}:123456789012:parameter/github`,
      })),
    },
    /repositories\[1\]\.credentials \(not shown\) would use the variable GIT_HTTP_CREDENTIALS_PARAMETER_GITHUB, which .* use already; give one of the two secrets another name/,
  ],
  [
    "a topic of another region",
    { alarms: "arn:aws:sns:us-east-1:123456789012:ops" },
    /gitDiff\.alarms = .* is a topic of us-east-1, which resources in eu-west-1 cannot use; use a topic of eu-west-1/,
  ],
  [
    "a collection's number in quotes",
    { repositories: undefined, collections: [{ name: "daily", cpu: "256", repositories: [api] }] },
    /gitDiff\.collections\[0\]\.cpu = "256" is a text; remove the quotes: 256$/,
  ],
  [
    "too many tags",
    { tags: tags(49) },
    /gitDiff\.tags = \{\.\.\.\} has 49 tags; AWS allows 50 a resource, of which the stack uses two; remove 1/,
  ],
  [
    "two tags that IAM does not tell apart",
    { tags: { team: "a", Team: "b" } },
    /gitDiff\.tags\.Team = "b" differs only in case from another tag, which IAM refuses; use another key/,
  ],
  ["a number in quotes", { cpu: "1024" }, /gitDiff\.cpu = "1024" is a text; remove the quotes: 1024$/],
  [
    "a number in quotes that is one of some values",
    { logRetentionDays: "30" },
    /gitDiff\.logRetentionDays = "30" is a text; remove the quotes: 30$/,
  ],
  [
    "true in quotes",
    { repositories: [{ name: "legacy", create: "true" }] },
    /repositories\[0\]\.create = "true" is a text; remove the quotes: true$/,
  ],
  [
    "a text that is no number",
    { cpu: "1 vCPU" },
    /gitDiff\.cpu = "1 vCPU" is not a number of CPU units; use/,
  ],
  [
    "an abbreviated key",
    { repo: [] },
    /gitDiff\.repo \(not shown\) is not a known key; write "repositories"$/,
  ],
  ["a schedule that is null", { schedule: null }, /gitDiff\.schedule = null is neither cron.*; use "cron/],
  ["no number at all", { cpu: null }, /gitDiff\.cpu = null is not a number of CPU units; use 1024/],
  [
    "an absurd size",
    { cpu: 1e99 },
    /gitDiff\.cpu = 1e\+99 is not a number of CPU units that Fargate offers; use/,
  ],
  ["a negative size", { memory: -1 }, /gitDiff\.memory = -1 is not an amount of memory .*; use/],
  [
    "a retention of ages",
    { resultRetentionDays: 1e9 },
    /gitDiff\.resultRetentionDays = 1000000000 is more than a hundred years; use 365, or remove it/,
  ],
  [
    "@daily",
    { schedule: "@daily" },
    /gitDiff\.schedule = "@daily" is neither .*; use "cron\(0 0 \* \* \? \*\)"$/,
  ],
  [
    "cron of Unix",
    { schedule: "0 3 * * *" },
    /gitDiff\.schedule = "0 3 \* \* \*" is neither .*; use "cron\(0 3 \* \* \? \*\)"$/,
  ],
  [
    "a misspelt region",
    { region: "eu-wset-1" },
    /gitDiff\.region = "eu-wset-1" is not an AWS region; use one such as "eu-west-1"/,
  ],
  [
    "a key that may hold a secret",
    { repositories: [{ ...api, password: "hunter2" }] },
    /repositories\[0\]\.password \(not shown\) is not a known key; remove it/,
  ],
  [
    "a retention that CloudWatch Logs does not offer",
    { logRetentionDays: 31 },
    /gitDiff\.logRetentionDays = 31 is not a retention that CloudWatch Logs offers; use/,
  ],
  [
    "a retention of no day",
    { resultRetentionDays: 0 },
    /gitDiff\.resultRetentionDays = 0 is less than one day; use/,
  ],
  [
    "a key of another region",
    { kmsKey: "arn:aws:kms:us-east-1:123456789012:key/1234" },
    /gitDiff\.kmsKey = .* is a key of us-east-1, which resources in eu-west-1 cannot use; use a key of eu-west-1/,
  ],
  [
    "a branch with Terraform syntax",
    { repositories: [{ ...api, branch: "a%{b}" }] },
    /repositories\[0\]\.branch = "a%\{b\}" contains \$\{ or %\{.*; rename the branch/,
  ],
  [
    "a state key with Terraform syntax",
    { state: { bucket: "acme-state", key: "%{x}" } },
    /gitDiff\.state\.key = "%\{x\}" is not a valid object key, or contains.*; use/,
  ],
  [
    "a key's alias",
    { kmsKey: "alias/mine" },
    /gitDiff\.kmsKey = "alias\/mine" is not the ARN of a KMS key; use/,
  ],
  [
    "a state bucket in capitals",
    { state: { bucket: "State" } },
    /gitDiff\.state\.bucket = "State" is not a valid bucket name; use/,
  ],
];

test.each(wrong)("reports %s", (_, change, line) => {
  const message = errorMessage({ ...smallest, ...change });
  expect(message).toMatch(line);
  expect(message).toStartWith("cdktf.json, context: 1 problem\n");
  expect(message).not.toContain("hunter2");
});

test.each([
  { repositories: [{ ...api, url: "https://me:p@hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https://me:hun/hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https:me:hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https:\\\\me:hunter2@github.com/a.git" }] },
  { repositories: [{ ...api, url: "https://github.com/a.git?token=hunter2" }] },
  { repositories: [{ name: "legacy", credentials: "me:hunter2" }] },
  { repositories: { ...api, credentials: "me:hunter2" } },
  { repositories: [{ ...api, credentials: "me:hunter2" }], collections: [] },
  { repositories: [{ ...api, credentials: { password: "hunter2" } }] },
  { repositories: [{ ...api, pat: "hunter2" }] },
  { auth: { password: "hunter2" } },
])("does not print the secret in %j", (change) => {
  expect(errorMessage({ ...smallest, ...change })).not.toContain("hunter2");
});

// URLs and branches near the limit of what the worker accepts. Whatever synthesis accepts, the worker must accept too.
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
])("synthesis accepts the URL %j only if the worker does", (url) => {
  expect(isConsistent({ ...api, url })).toBe(true);
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
])("synthesis accepts the branch %j only if the worker does", (branch) => {
  expect(isConsistent({ ...api, branch })).toBe(true);
});

function isConsistent(repository: { url: string; branch?: string }): boolean {
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

test("a missing configuration is an error", () => {
  expect(errorMessage(undefined)).toContain("gitDiff.region (missing)");
  expect(errorMessage("eu-west-1")).toContain("is not an object");
});

test("one message lists all problems", () => {
  const message = errorMessage({
    region: 7,
    cpu: 256,
    memory: 9,
    timezone: "x",
    repositories: [{ ...api, url: 1 }, api, { name: "api", colour: "red" }],
  });
  expect(message.split("\n")).toEqual([
    "cdktf.json, context: 7 problems",
    expect.stringMatching(/^ {2}gitDiff\.region = 7 /),
    expect.stringMatching(/^ {2}gitDiff\.timezone = "x" /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[0\]\.url = 1 /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[2\]\.colour \(not shown\) /),
    expect.stringMatching(/^ {2}gitDiff\.memory = 9 /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[1\]\.name = "api" /),
    expect.stringMatching(/^ {2}gitDiff\.repositories\[2\]\.name = "api" /),
  ]);
});

test("two stacks of a list cannot have one state", () => {
  const stack = (name: string, key?: string) => ({ ...smallest, name, state: { bucket: "acme-state", key } });
  expect(errorMessage([stack("dev", "x"), stack("prod", "x")])).toEndWith(
    'gitDiff[1].state = "acme-state/x" is another stack\'s too; use a key for each, or remove it',
  );
  expect(parse([stack("dev"), stack("prod")])).toHaveLength(2);
  expect(parse([stack("dev", "x"), stack("prod", "y")])).toHaveLength(2);
});

test("a problem has its index in the list, also after entries that are no repositories", () => {
  const message = errorMessage({ ...smallest, repositories: [1, api, api] });
  expect(message).toContain("gitDiff.repositories[0] = 1 is not an object");
  expect(message).toContain('gitDiff.repositories[2].name = "api" is used twice');
  const collections = [1, { name: "c1", repositories: [null, api, api] }];
  expect(errorMessage({ region: "eu-west-1", collections })).toContain(
    'gitDiff.collections[1].repositories[2].name = "api" is used twice',
  );
});

describe("an unusual but valid configuration", () => {
  test.each([
    { repositories: [{ ...api, branch: "x" }] },
    { repositories: [{ ...api, branch: "feature/été" }] },
    { repositories: [{ ...api, url: "https://git.acme.com:8443/scm/a/b" }] },
    { repositories: [{ name: "Legacy_2.x" }] },
    { cpu: 16384, memory: 122880 },
    { tags: { ...tags(48), Name: "mine" } },
    { resultRetentionDays: 36_500 },
    { repositories: [{ ...api, url: "https://github.com/acme/api/" }] },
    { repositories: [{ ...api, branch: "head" }] },
    { image: "registry.acme.com:5000/tools/git-diff:1.2@sha256:".padEnd(113, "0") },
  ])("%j", (change) => {
    expect(() => parse({ ...smallest, ...change })).not.toThrow();
  });
});
