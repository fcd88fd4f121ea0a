import { z } from "zod";
import { contradictions } from "./contradictions.ts";
import { mistakeInExpression, mistakeInTimezone } from "./expression.ts";
import { repository } from "./repository.ts";
import { checked, lines, object, text } from "./schema.ts";

/** The configuration with its defaults, and its repositories always in collections. */
export type Configuration = z.output<typeof schema>;
export type Collection = Configuration["collections"][number];

/** The name of the one collection that a configuration without collections has. */
const ONLY = "all";

const EXAMPLE = '[{ "name": "api", "url": "https://github.com/acme/api.git" }]';
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const LOG_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

const repositories = z
  .array(repository, `is not a list of repositories; write ${EXAMPLE}`)
  .min(1, `has no repository in it; write ${EXAMPLE}`);
const schedule = checked(mistakeInExpression);
const timezone = checked(mistakeInTimezone);
const collection = object({
  name: text(
    /^[a-z][a-z0-9-]{0,18}[a-z0-9]$/,
    'cannot be part of resource names: 2 to 20 lower-case letters, digits and dashes; write "daily"',
  ),
  schedule: schedule.default("cron(0 0 * * ? *)"),
  timezone: timezone.default("UTC"),
  repositories,
});
const region = text(/^[a-z]{2,4}(-[a-z]+)+-\d$/, 'is not an AWS region; write "eu-west-1" or another');

const schema = object({
  region,
  name: text(
    /^(?!aws|ssm)[a-z][a-z0-9-]{0,30}[a-z0-9]$/,
    'cannot begin every resource\'s name: 2 to 32 lower-case letters, digits and dashes, not "aws" or "ssm" first; write "git-diff"',
  ).default("git-diff"),
  tags: z
    .record(
      text(
        /^(?!aws:)[\p{L}\p{N} _.:/=+@-]{1,128}$/iu,
        "is not a tag's key; write up to 128 letters, digits and _.:/=+@-",
      ),
      text(
        /^[\p{L}\p{N} _.:/=+@-]{0,256}$/u,
        "is not a tag's value; write up to 256 letters, digits and _.:/=+@-",
      ),
      'is not an object of tags; write { "team": "platform" }',
    )
    .default({}),
  image: text(
    /^(build|[a-z0-9][\w.-]*(:\d+)?(\/[a-z0-9._-]+)+(:[\w.-]+)?@sha256:[0-9a-f]{64})$/,
    'is neither "build" nor an image with its digest, without which tomorrow\'s task may run something else; write "<registry>/<name>@sha256:<64 hex digits>"',
  ).default("build"),
  network: object({
    subnets: ids("subnet", 16),
    securityGroups: ids("sg", 5),
    publicIp: z
      .boolean(
        "is not true or false; write true where the subnets reach the internet only with a public address",
      )
      .default(false),
  }).optional(),
  cpu: z.number("is not a number of CPU units; write 1024").default(1024),
  memory: z.number("is not a number of MiB; write 2048").default(2048),
  logRetentionDays: z
    .literal(
      LOG_DAYS,
      `is not a number of days that CloudWatch Logs has; write one of ${LOG_DAYS.join(", ")}`,
    )
    .default(30),
  resultRetentionDays: z
    .int("is not a whole number of days; write 365, or remove it to keep results")
    .min(1, "is less than a day; write 365, or remove it to keep results")
    .optional(),
  kmsKey: text(
    /^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
    'is not the ARN of a KMS key; write "arn:aws:kms:<region>:<account>:key/<id>", an alias will not do',
  ).optional(),
  state: object({
    bucket: text(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'is not the name of a bucket; write "acme-terraform-state"',
    ),
    key: text(
      /^(?!.*[$%]\{)[^/].*$/,
      'is not the key of an object, or has ${ or %{ in it, which Terraform would read as its own; write "git-diff.tfstate"',
    ).default("git-diff.tfstate"),
    region: region.optional(),
  }).optional(),
  schedule: schedule.optional(),
  timezone: timezone.optional(),
  repositories: repositories.optional(),
  collections: z.array(collection, "is not a list of collections; write [{ }]").optional(),
})
  // Whatever else is wrong, so that one message has it all: what has the wrong type is skipped.
  .superRefine(
    (value, context) => {
      for (const { path, message } of contradictions(value))
        context.addIssue({ code: "custom", path, message });
    },
    { when: ({ value }) => typeof value === "object" && value !== null },
  )
  .transform(({ schedule, timezone, repositories, collections, ...rest }) => ({
    ...rest,
    collections: collections ?? [collection.parse({ name: ONLY, schedule, timezone, repositories })],
  }));

/** A list of ids of one kind of resource, at most as many as a task takes. */
function ids(kind: string, most: number) {
  const example = `write ["${kind}-0123456789abcdef0"]`;
  const list = `is not a list of 1 to ${most} ids; ${example}`;
  const id = text(new RegExp(`^${kind}-[0-9a-f]{8,17}$`), `is not the id of a ${kind}; ${example}`);
  return z.array(id, list).min(1, list).max(most, list);
}

/** What somebody can mend in cdktf.json: the message is all that they need to see. */
export class ConfigurationError extends Error {}

/** Reads `context.gitDiff`. Throws one error that lists everything that is wrong with it. */
export function parse(gitDiff: unknown): Configuration {
  const result = schema.safeParse(gitDiff ?? {});
  if (result.success) return result.data;
  const mistakes = lines("gitDiff", gitDiff ?? {}, result.error);
  throw new ConfigurationError(
    `cdktf.json, context: ${mistakes.length} ${mistakes.length === 1 ? "mistake" : "mistakes"}\n  ${mistakes.join("\n  ")}`,
  );
}
