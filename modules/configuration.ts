import { z } from "zod";
import { duplicateIndexes } from "../image/lib/duplicates.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { crossChecks } from "./cross-checks.ts";
import { validateRegion } from "./region.ts";
import { repository } from "./repository.ts";
import { validateExpression, validateTimezone } from "./schedule-expression.ts";
import { checked, formatProblems, object, text } from "./schema.ts";
import { parseValidPart } from "./valid-part.ts";

/** The configuration, with defaults filled in and all repositories in collections. */
export type Configuration = z.output<typeof schema>;
export type Collection = Configuration["collections"][number];

/** The name of the single collection of a configuration without collections. */
const defaultCollection = "all";

const repositoriesExample = '[{ "name": "api", "url": "https://github.com/acme/api.git" }]';
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const retentionDays = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

const repositories = z
  .array(repository, `is not a list of repositories; write ${repositoriesExample}`)
  .min(1, `is empty; write ${repositoriesExample}`);
const schedule = checked(validateExpression);
const timezone = checked(validateTimezone);
const collection = object({
  name: text(
    /^[a-z][a-z0-9-]{0,18}[a-z0-9]$/,
    'cannot be part of resource names: use 2 to 20 lower-case letters, digits and dashes, such as "daily"',
  ),
  schedule: schedule.default("cron(0 0 * * ? *)"),
  timezone: timezone.default("UTC"),
  repositories,
});
const region = checked(validateRegion);

const schema = object({
  region,
  name: text(
    /^(?!aws|ssm)[a-z][a-z0-9-]{0,30}[a-z0-9]$/,
    'cannot be the prefix of resource names: use 2 to 32 lower-case letters, digits and dashes, beginning with neither "aws" nor "ssm", such as "git-diff"',
  ).default("git-diff"),
  tags: z
    .record(
      text(
        /^(?!aws:)[\p{L}\p{N} _.:/=+@-]{1,128}$/iu,
        "is not a valid tag key; use up to 128 letters, digits and _.:/=+@-",
      ),
      text(
        /^[\p{L}\p{N} _.:/=+@-]{0,256}$/u,
        "is not a valid tag value; use up to 256 letters, digits and _.:/=+@-",
      ),
      'is not an object of tags; write { "team": "platform" }',
    )
    .default({}),
  image: text(
    /^(build|[a-z0-9][\w.-]*(:\d+)?(\/[a-z0-9._-]+)+(:[\w.-]+)?@sha256:[0-9a-f]{64})$/,
    'is neither "build" nor an image with its digest, without which another image may run tomorrow; use "<registry>/<name>@sha256:<64 hex digits>"',
  ).default("build"),
  network: object({
    subnets: ids("subnet", 16),
    securityGroups: ids("sg", 5),
    publicIp: z
      .boolean("is not true or false; use true if the subnets reach the internet only with a public address")
      .default(false),
  }).optional(),
  cpu: z.number("is not a number of CPU units; use 1024").default(1024),
  memory: z.number("is not a number of MiB; use 2048").default(2048),
  logRetentionDays: z
    .literal(
      retentionDays,
      `is not a retention that CloudWatch Logs offers; use one of ${retentionDays.join(", ")}`,
    )
    .default(30),
  resultRetentionDays: z
    .int("is not a whole number of days; use 365, or remove it to keep results")
    .min(1, "is less than one day; use 365, or remove it to keep results")
    .max(36_500, "is more than a hundred years; use 365, or remove it to keep results")
    .optional(),
  kmsKey: text(
    /^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
    'is not the ARN of a KMS key; use "arn:aws:kms:<region>:<account>:key/<id>", not an alias',
  ).optional(),
  state: object({
    bucket: text(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'is not a valid bucket name; use one such as "acme-terraform-state"',
    ),
    key: text(
      /^(?!.*[$%]\{)[^/].*$/,
      'is not a valid object key, or contains ${ or %{, which Terraform would interpret; use "git-diff.tfstate"',
    ).default("git-diff.tfstate"),
    region: region.optional(),
  }).optional(),
  schedule: schedule.optional(),
  timezone: timezone.optional(),
  repositories: repositories.optional(),
  collections: z
    .array(collection, 'is not a list of collections; write [{ "name": "daily", "repositories": [...] }]')
    .optional(),
})
  // Runs even if other checks have failed, so that one message lists all problems. Values of a wrong type are skipped.
  .superRefine(
    (value, context) => {
      for (const { path, message } of crossChecks(value)) context.addIssue({ code: "custom", path, message });
    },
    { when: ({ value }) => typeof value === "object" && value !== null },
  )
  .transform(({ schedule, timezone, repositories, collections, ...rest }) => ({
    ...rest,
    collections: collections ?? [
      collection.parse({ name: defaultCollection, schedule, timezone, repositories }),
    ],
  }));

/** A list of 1 to `max` ids of one kind of resource. */
function ids(kind: string, max: number) {
  const example = `use ["${kind}-0123456789abcdef0"]`;
  const list = `is not a list of 1 to ${max} ids; ${example}`;
  const id = text(new RegExp(`^${kind}-[0-9a-f]{8,17}$`), `is not the id of a ${kind}; ${example}`);
  return z
    .array(id, list)
    .min(1, list)
    .max(max, list)
    .superRefine((values, context) => {
      for (const index of duplicateIndexes(values)) {
        context.addIssue({ code: "custom", path: [index], message: "is there twice; remove one of the two" });
      }
    });
}

/** Parses `context.gitDiff`. Throws one ConfigurationError that lists all problems. */
export function parse(gitDiff: unknown): Configuration {
  const { configuration, problems } = read(gitDiff);
  if (configuration && problems.length === 0) return configuration;
  throw ConfigurationError.of(problems);
}

/**
 * Reads `context.gitDiff`. Where there are problems, the configuration has the valid repositories, and is good for
 * nothing but a check of their size.
 */
export function read(gitDiff: unknown): { configuration?: Configuration; problems: readonly string[] } {
  const result = schema.safeParse(gitDiff ?? {});
  if (result.success) return { configuration: result.data, problems: [] };
  const problems = formatProblems("gitDiff", gitDiff ?? {}, result.error);
  if (typeof gitDiff !== "object" || gitDiff === null) return { problems };
  const { name, repositories, collections } = gitDiff as Record<string, unknown>;
  const sized = { region: "us-east-1", name, repositories, collections };
  return { configuration: parseValidPart(schema, sized), problems };
}
