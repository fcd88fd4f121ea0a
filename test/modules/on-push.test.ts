import { expect, test } from "bun:test";
import { parse } from "../fixtures/configuration.ts";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

const account = ref("data.aws_caller_identity.account.account_id");
const partition = ref("data.aws_partition.account_partition.partition");
const arn = (service: string, resource: string) =>
  `arn:${partition}:${service}:eu-west-1:${account}:${resource}`;
const other = { name: "web", url: "https://github.com/acme/web.git" };
const elsewhere = {
  name: "far",
  url: "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/far",
};
const pushed = new Template({ ...SMALLEST, onPush: true, repositories: [{ name: "api" }, other, elsewhere] });

test("a push to a repository in CodeCommit starts the collection", () => {
  const rule = pushed.get("aws_cloudwatch_event_rule.on-push-all_1");
  expect(rule).toMatchObject({ name: "git-diff-all-push-1", state: "ENABLED" });
  expect(JSON.parse(String(rule.event_pattern))).toEqual({
    source: ["aws.codecommit"],
    "detail-type": ["CodeCommit Repository State Change"],
    resources: [arn("codecommit", "api")],
    detail: { event: ["referenceCreated", "referenceUpdated", "referenceDeleted"] },
  });
  expect(pushed.get("aws_cloudwatch_event_target.on-push-all_start-1")).toMatchObject({
    rule: ref("aws_cloudwatch_event_rule.on-push-all_1.name"),
    arn: ref("aws_ecs_cluster.cluster.arn"),
    role_arn: ref("aws_iam_role.on-push-all_role.arn"),
    ecs_target: {
      task_definition_arn: arn("ecs", "task-definition/git-diff-all"),
      launch_type: "FARGATE",
      propagate_tags: "TASK_DEFINITION",
      network_configuration: {
        assign_public_ip: true,
        subnets: [ref("aws_subnet.vpc_public-a.id"), ref("aws_subnet.vpc_public-b.id")],
        security_groups: [ref("aws_security_group.vpc_task.id")],
      },
    },
    retry_policy: { maximum_event_age_in_seconds: 3600, maximum_retry_attempts: 20 },
    dead_letter_config: { arn: ref("aws_sqs_queue.schedules_dead-letters.arn") },
    depends_on: expect.arrayContaining(["aws_s3_bucket_policy.results_policy"]),
  });
});

test("the worker knows that runs may overlap", () => {
  expect(pushed.container().environment).toContainEqual({ name: "ON_PUSH", value: "true" });
  expect(new Template(SMALLEST).container().environment.map(({ name }) => name)).not.toContain("ON_PUSH");
});

test("what starts nothing goes to the dead-letter queue", () => {
  expect(pushed.statements("aws_sqs_queue_policy.schedules_dead-letters-policy")).toEqual([
    expect.objectContaining({
      Principal: { Service: "events.amazonaws.com" },
      Action: ["sqs:SendMessage"],
      Condition: { ArnEquals: { "aws:SourceArn": [arn("events", "rule/git-diff-all-push-1")] } },
    }),
  ]);
});

test("two branches of one repository are one repository in the rule", () => {
  const url = "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/api";
  const repositories = [{ name: "api" }, { name: "api-next", url, branch: "next" }];
  const template = new Template({ ...SMALLEST, onPush: true, repositories });
  const pattern = String(template.get("aws_cloudwatch_event_rule.on-push-all_1").event_pattern);
  expect(JSON.parse(pattern).resources).toEqual([arn("codecommit", "api")]);
});

test("many repositories are in several rules, as a pattern has a limit", () => {
  const repositories = Array.from({ length: 60 }, (_, index) => ({ name: `repository-${index}` }));
  const template = new Template({ ...SMALLEST, onPush: true, repositories });
  const patterns = [1, 2, 3].map((number) =>
    String(template.get(`aws_cloudwatch_event_rule.on-push-all_${number}`).event_pattern),
  );
  const listed = patterns.flatMap((pattern) => JSON.parse(pattern).resources);
  expect(new Set(listed)).toEqual(new Set(repositories.map(({ name }) => arn("codecommit", name))));
  const filled = patterns.map((pattern) =>
    pattern.replaceAll(account, "1".repeat(12)).replaceAll(partition, "aws-us-gov"),
  );
  for (const pattern of filled) expect(pattern.length).toBeLessThanOrEqual(2048);
});

test("a paused collection is not started by pushes, nor is one without such repositories, nor a drill", () => {
  const paused = new Template({ ...SMALLEST, onPush: true, paused: true, repositories: [{ name: "api" }] });
  expect(paused.get("aws_cloudwatch_event_rule.on-push-all_1").state).toBe("DISABLED");
  const collections = [
    { name: "here", repositories: [{ name: "api", collect: ["mirror"] }] },
    { name: "github", repositories: [other] },
  ];
  const { repositories: _, ...rest } = SMALLEST;
  const drill = { schedule: "rate(1 day)" };
  const both = new Template({ ...rest, onPush: true, drill, collections });
  const rules = both.addresses.filter((address) => address.startsWith("aws_cloudwatch_event_rule.on-push"));
  expect(rules).toEqual(["aws_cloudwatch_event_rule.on-push-here_1"]);
  expect(new Template(SMALLEST).addresses.filter((address) => /push|queue_policy/.test(address))).toEqual([]);
});

test("without a repository in CodeCommit of this region, it is refused", () => {
  const message =
    /onPush = true has no effect without a repository in CodeCommit in eu-west-1; remove it, and let the host's CI/;
  expect(() => parse({ ...SMALLEST, onPush: true, repositories: [other, elsewhere] })).toThrow(message);
  const { repositories: _, ...rest } = SMALLEST;
  const collections = [
    { name: "here", repositories: [{ name: "api" }] },
    { name: "github", onPush: true, repositories: [other] },
  ];
  expect(() => parse({ ...rest, collections })).toThrow(/collections\[1\]\.onPush = true has no effect/);
});
