import { expect, test } from "bun:test";
import { parseArguments } from "../../image/config/arguments.ts";
import { parseLockDays } from "../../image/config/lock-days.ts";
import { parsePart } from "../../image/config/place.ts";
import type { Statement } from "../../modules/iam.ts";
import { parse } from "../fixtures/configuration.ts";
import { ACCOUNT, resolve } from "../fixtures/stack-role.ts";
import { ref, repositories, SMALLEST, Template } from "../fixtures/template.ts";

const url = (name: string) => `https://github.com/acme/${name}.git`;
const api = { name: "api", url: url("api"), collect: ["diffs", "mirror"], credentials: "host" };
const docs = { name: "docs", url: url("docs") };
const drill = { schedule: "cron(0 6 * * ? *)", parts: 7 };
const drilled = new Template({ ...SMALLEST, repositories: [api, docs], lockDays: 30, drill });
const bucket = `arn:${ref("data.aws_partition.account_partition.partition")}:s3:::git-diff-results-${ref("data.aws_caller_identity.account.account_id")}`;

test("a drill verifies the mirrors of its collection, one part after the other, and extends their locks", () => {
  const container = drilled.container("all-drill");
  expect(container.command).toEqual(["verify", "--replay", "--part", "next/7", "--lock-days", "30"]);
  const { command, options, problems } = parseArguments(container.command as string[]);
  expect({ command, problems }).toEqual({ command: "verify", problems: [] });
  expect([parsePart(options), parseLockDays(options)]).toEqual([{ number: "next", of: 7 }, 30]);
  const REPOSITORIES = container.environment.find(({ name }) => name === "REPOSITORIES")?.value ?? "";
  expect(JSON.parse(REPOSITORIES)).toEqual([
    {
      gitRepo: api.url,
      parameterName: "/git-diff/api",
      resultsBucket: `${bucket.split(":::")[1]}/api`,
      collect: ["mirror"],
    },
  ]);
  expect(container.secrets).toEqual([]);
  expect(drilled.container()).not.toHaveProperty("command");
});

test("a drill has a schedule, a log and an alarm of its own", () => {
  const { target, ...schedule } = drilled.get("aws_scheduler_schedule.schedule-all-drill") as {
    target: { input: string };
  };
  expect(schedule).toMatchObject({ name: "git-diff-all-drill", schedule_expression: drill.schedule });
  expect(JSON.parse(target.input).TaskDefinition).toBe("git-diff-all-drill");
  expect(drilled.get("aws_cloudwatch_log_group.task-all-drill_log").name).toBe("/ecs/git-diff/all-drill");
  expect(drilled.get("aws_cloudwatch_metric_alarm.alarms_silent-all-drill")).toMatchObject({
    alarm_name: "git-diff-all-drill-silent",
    evaluation_periods: 26,
  });
});

test("a drill's role reads mirrors and extends their locks, and can neither delete nor replace anything", () => {
  const statements = drilled.statements("aws_iam_policy.task-all-drill_worker_1");
  const objects = [`${bucket}/api.git/*`];
  expect(statements).toEqual([
    { Sid: "VerifyMirrors", Effect: "Allow", Action: ["s3:GetObject"], Resource: objects },
    {
      Sid: "RememberParts",
      Effect: "Allow",
      Action: ["s3:PutObject"],
      Resource: [`${bucket}/api.git/drill`],
    },
    {
      Sid: "ExtendLocks",
      Effect: "Allow",
      Action: ["s3:GetObjectRetention", "s3:PutObjectRetention"],
      Resource: objects,
    },
    { Sid: "ListMirrors", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [bucket] },
  ]);
  expect(JSON.stringify(drilled.statements("aws_iam_policy.task-all_worker_1"))).not.toContain("Retention");
});

test("the bucket of a stack is locked without being replaced, and nothing is stored before", () => {
  expect(drilled.get("aws_s3_bucket_object_lock_configuration.results_lock")).toMatchObject({
    bucket: ref("aws_s3_bucket.results.bucket"),
    rule: { default_retention: { mode: "GOVERNANCE", days: 30 } },
    depends_on: ["aws_s3_bucket_versioning.results_versioning"],
  });
  // A change of it would replace the bucket.
  expect(drilled.get("aws_s3_bucket.results")).not.toHaveProperty("object_lock_enabled");
  const { depends_on } = drilled.get("aws_scheduler_schedule.schedule-all") as { depends_on: string[] };
  expect(depends_on).toContain("aws_s3_bucket_object_lock_configuration.results_lock");
});

test("without a lock, a drill verifies alone; without parts, everything each time", () => {
  const plain = new Template({ ...SMALLEST, repositories: [api], drill: { schedule: "rate(7 days)" } });
  expect(plain.container("all-drill").command).toEqual(["verify", "--replay"]);
  const text = JSON.stringify(plain.json);
  expect(text).not.toContain("Retention");
  expect(text).not.toContain("object_lock");
});

test("the owner of an existing bucket locks it; the drill's role extends the locks, by the bucket's policy too", () => {
  const existing = new Template({
    ...SMALLEST,
    tables: false,
    repositories: [api],
    lockDays: 30,
    drill,
    bucket: "acme/git",
  });
  expect(existing.addresses.filter((address) => address.includes("s3_bucket"))).toEqual([]);
  const { value } = existing.json.output.bucket_policy as { value: string };
  const by = (collection: string) => ({ AWS: [`arn:aws:iam::${ACCOUNT}:role/git-diff-${collection}-task`] });
  expect(
    JSON.parse(resolve(existing, value)).Statement.map(({ Sid, Principal, Resource }: Statement) => [
      Sid,
      Principal,
      Resource.map((arn) => arn.replace(/^.*:::/, "")).join(),
    ]),
  ).toEqual([
    ["PutResults", by("all"), "acme/git/*.diff,acme/git/*/_steps/*,acme/git/*.git/*"],
    ["ReadStepRecords", by("all"), "acme/git/*/_steps/*"],
    ["ReadMirrors", by("all"), "acme/git/*.git/*"],
    ["ListResults", by("all"), "acme"],
    ["VerifyMirrors", by("all-drill"), "acme/git/*.git/*"],
    ["RememberParts", by("all-drill"), "acme/git/*.git/drill"],
    ["ExtendLocks", by("all-drill"), "acme/git/*.git/*"],
    ["ListMirrors", by("all-drill"), "acme"],
  ]);
});

test("one drill is for every collection that has a mirror", () => {
  const collections = [
    { name: "daily", repositories: [api] },
    { name: "hourly", repositories: [docs] },
  ];
  const both = new Template({ ...SMALLEST, repositories: undefined, collections, drill });
  expect(Object.keys(both.json.resource.aws_scheduler_schedule ?? {})).toEqual([
    "schedule-daily",
    "schedule-daily-drill",
    "schedule-hourly",
  ]);
});

const collections = (...all: object[]) => ({ repositories: undefined, collections: all });
const locked = { repositories: [api], lockDays: 30, drill };

test.each([
  [
    "a lock that nobody extends",
    { repositories: [api], lockDays: 30 },
    "lockDays = 30 ends while mirrors still",
  ],
  [
    "a lock that nobody extends in one collection",
    {
      ...collections(
        { name: "aa", repositories: [api], drill },
        { name: "bb", repositories: [{ ...docs, collect: ["mirror"] }] },
      ),
      lockDays: 30,
    },
    'to the collection "bb", or beside it',
  ],
  ["a drill without a mirror", { drill }, "drill = {...} has no effect without a mirror"],
  [
    "a drill of a collection without a mirror",
    collections({ name: "aa", repositories: [api] }, { name: "bb", repositories: [docs], drill }),
    "collections[1].drill = {...} has no effect without a mirror",
  ],
  [
    "diffs that expire while they are locked",
    { lockDays: 30, resultRetentionDays: 29 },
    "use at most 29, or",
  ],
  [
    "another's bucket without a mirror",
    { lockDays: 30, bucket: "acme-data" },
    "have its owner lock the bucket",
  ],
  [
    "drills half a lock apart",
    { ...locked, drill: { schedule: "rate(15 days)" } },
    "use a lockDays of at least 32",
  ],
  [
    "drills a window too far apart",
    { ...locked, drill: { schedule: "rate(14 days)" }, flexibleWindowMinutes: 60 },
    "337 hours",
  ],
  ["drills at unknown intervals", { ...locked, drill: { schedule: "cron(0 0 L * ? *)" } }, "use rate(1 day)"],
  [
    "a drill of another's name",
    collections({ name: "aa", repositories: [api], drill }, { name: "aa-drill", repositories: [docs] }),
    "rename that one",
  ],
  [
    "a name too long for a role",
    { ...collections({ name: "c".repeat(16), repositories: [api], drill }), name: "n".repeat(32) },
    "use at most 47",
  ],
  ["a schedule of Unix", { ...locked, drill: { schedule: "0 6 * * *" } }, "drill.schedule"],
  ["no part", { ...locked, drill: { ...drill, parts: 0 } }, "drill.parts = 0 is not a whole number of parts"],
])("%s is refused, with what to write", (_, changes, message) => {
  expect(() => parse({ ...SMALLEST, ...changes })).toThrow(message);
});

test.each([
  ["drills half a lock and a day apart", { ...locked, drill: { schedule: "rate(14 days)" } }],
  ["the shortest lock", { ...locked, lockDays: 4, drill: { schedule: "rate(1 day)" } }],
  ["a lock of diffs alone", { lockDays: 30, resultRetentionDays: 30 }],
  [
    "the longest names",
    { ...collections({ name: "c".repeat(15), repositories: [api], drill }), name: "n".repeat(32) },
  ],
])("%s is accepted", (_, changes) => {
  const template = new Template({ ...SMALLEST, ...changes });
  const names = Object.values(template.json.resource.aws_iam_role ?? {}).map(({ name }) => String(name));
  expect(names.filter((name) => name.length > 64)).toEqual([]);
});

test("S3 has no more rules than it allows for diffs that expire beside mirrors", () => {
  const many = (count: number) => ({
    ...SMALLEST,
    repositories: undefined,
    collections: Array.from({ length: 5 }, (_, index) => ({
      name: `c${index}`,
      repositories: repositories(count / 5, 1 + (index * count) / 5),
    })),
  });
  const { collections: lists } = many(1_000);
  const [first] = lists[0]?.repositories ?? [];
  Object.assign(first ?? {}, { collect: ["mirror"] });
  const limited = {
    ...SMALLEST,
    tables: false,
    repositories: undefined,
    collections: lists,
    resultRetentionDays: 30,
  };
  expect(
    Object.keys(new Template(limited).get("aws_s3_bucket_lifecycle_configuration.results_lifecycle")),
  ).toContain("rule");
  Object.assign(first ?? {}, { collect: ["diffs", "mirror"] });
  expect(() => new Template(limited)).toThrow("needs 1001 rules");
});
