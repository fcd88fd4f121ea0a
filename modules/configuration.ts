import { z } from "zod";
import { duplicateIndexes } from "../image/lib/duplicates.ts";
import { collection, collectionSettings, complete, repositories } from "./collection.ts";
import { crossChecks } from "./cross-checks.ts";
import { certificates, cidrBlock } from "./network-settings.ts";
import { validateRegion } from "./region.ts";
import { checked, formatProblems, object, text, unique, wholeNumber } from "./schema.ts";
import { secretArn } from "./secret-arn.ts";
import { stateKey } from "./state-key.ts";
import { tablesKey } from "./tables-settings.ts";
import { parseValidPart } from "./valid-part.ts";

/** The configuration of a stack, with defaults filled in and all repositories in collections. */
export type Configuration = Omit<z.output<typeof schema>, keyof typeof collectionSettings>;

/** The name of the single collection of a configuration without collections. */
const defaultCollection = "all";

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const retentionDays = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

const alarmsRule =
  'is neither a list of e-mail addresses nor the ARN of a topic; use ["ops@acme.com"] or "arn:aws:sns:<region>:<account>:<topic>"';
const region = checked(validateRegion);

const kmsKey = text(
  /^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
  'is not the ARN of a KMS key; use "arn:aws:kms:<region>:<account>:key/<id>", not an alias',
);

const schema = object({
  region,
  account: text(
    /^\d{12}$/,
    'is not the number of an AWS account; write its 12 digits in quotes, such as "123456789012"',
  ).optional(),
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
  vpc: object({
    cidr: checked(cidrBlock).default("10.0.0.0/24"),
    flowLogs: z.boolean("is not true or false; use true to log every connection").default(false),
  }).optional(),
  network: object({
    subnets: ids("subnet", 16),
    securityGroups: ids("sg", 5),
    publicIp: z
      .boolean("is not true or false; use true if the subnets reach the internet only with a public address")
      .default(false),
    proxy: text(
      new RegExp(`^(https?://[A-Za-z0-9.-]+:\\d+|${secretArn.source})$`),
      'is neither the address of a proxy, without a password, nor the ARN of a parameter or secret that holds one; use one such as "http://proxy.acme.com:3128"',
    ).optional(),
    noProxy: z
      .array(
        text(/^[\w.*:/-]+$/, 'is not a host; use one such as ".acme.com"'),
        'is not a list of hosts; write [".acme.com"]',
      )
      .optional(),
  }).optional(),
  certificates: z
    .string('is not the path of a file of certificates in PEM; use one such as "acme-ca.pem"')
    .transform(certificates)
    .optional(),
  cluster: text(
    /^[A-Za-z0-9_-]{1,255}$/,
    'is not the name of an ECS cluster; use up to 255 letters, digits, "-" and "_"',
  ).optional(),
  bucket: text(
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9][\w.-]*)*$/,
    'is neither a bucket nor a bucket and a prefix; use "acme-diffs" or "acme-data/git-diff"',
  ).optional(),
  accessLogs: text(
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    'is not the name of a bucket; use one in the same account and region, such as "acme-access-logs"',
  ).optional(),
  alarms: z
    .union(
      [
        text(/^arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$/, alarmsRule),
        unique(z.array(text(/^[^\s@,"$%]+@[^\s@,"]+\.[^\s@,"]+$/, alarmsRule)).min(1, alarmsRule)),
      ],
      alarmsRule,
    )
    .optional(),
  permissionsBoundary: text(
    /^arn:aws[\w-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/,
    'is not the ARN of a policy; use "arn:aws:iam::<account>:policy/<name>"',
  ).optional(),
  rolePath: text(
    /^\/([\w+=,.@-]+\/)+$/,
    'is not the path of a role; use one that begins and ends with "/", such as "/acme/"',
  ).optional(),
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
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html: 100 years at most.
  lockDays: wholeNumber(4, 36_500, "days", 30).optional(),
  kmsKey: kmsKey.optional(),
  decryptKeys: z
    .array(kmsKey, 'is not a list of ARNs of KMS keys; write ["arn:aws:kms:<region>:<account>:key/<id>"]')
    .optional(),
  tables: tablesKey,
  state: object({
    bucket: text(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'is not a valid bucket name; use one such as "acme-terraform-state"',
    ),
    key: text(
      /^(?!.*[$%]\{)[^/].*$/,
      'is not a valid object key, or contains ${ or %{, which Terraform would interpret; use "git-diff.tfstate"',
    ).optional(),
    region: region.optional(),
  }).optional(),
  ...collectionSettings,
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
  .transform(({ repositories, collections, ...rest }) => {
    const shared = z.object(collectionSettings).parse(rest);
    const given = collections ?? [{ name: defaultCollection, repositories: repositories ?? [] }];
    return {
      ...rest,
      // Sorted, so that their order in the file makes no difference to the plan.
      collections: given.map((one) => complete(one, shared)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    };
  });

/** A list of 1 to `max` ids of one kind of resource. */
function ids(kind: string, max: number) {
  const example = `use ["${kind}-0123456789abcdef0"]`;
  const list = `is not a list of 1 to ${max} ids; ${example}`;
  const id = text(new RegExp(`^${kind}-[0-9a-f]{8,17}$`), `is not the id of a ${kind}; ${example}`);
  return unique(z.array(id, list).min(1, list).max(max, list));
}

interface Read {
  /** `root` is what the messages call the stack. */
  readonly stacks: readonly { readonly root: string; readonly configuration: Configuration }[];
  /** Each a line. */
  readonly problems: readonly string[];
}

/**
 * Reads `context.gitDiff`: the configuration of a stack, or a list of them, such as one for each environment. Where there
 * are problems, a configuration has the valid repositories, and is good for nothing but a check of their size.
 */
export function read(gitDiff: unknown): Read {
  if (!Array.isArray(gitDiff)) return readOne("gitDiff", gitDiff ?? {}, "git-diff");
  const each = gitDiff.map((one, index) => readOne(`gitDiff[${index}]`, one, `stack-${index}`));
  const stacks = each.flatMap((one) => one.stacks);
  const names = stacks.map(({ configuration }) => configuration.name);
  const states = stacks.map(({ root, configuration: { name, state } }) =>
    state ? JSON.stringify(`${state.bucket}/${stateKey(name, state.key)}`) : root,
  );
  const twice = duplicateIndexes(names);
  const none = 'gitDiff = [] is empty; write { "region": "eu-west-1", "repositories": [...] }';
  return {
    stacks: stacks.filter((_, index) => !twice.includes(index)),
    problems: [
      ...(gitDiff.length > 0 ? [] : [none]),
      ...each.flatMap(({ problems }) => problems),
      ...twice.map(
        (index) => `${stacks[index]?.root}.name = "${names[index]}" is used twice; use a unique name`,
      ),
      ...duplicateIndexes(states).map(
        (index) =>
          `${stacks[index]?.root}.state = ${states[index]} is another stack's too; use a key for each, or remove it`,
      ),
    ],
  };
}

/** Reads one configuration. A wrong name is replaced, so that stacks can be told apart. */
function readOne(root: string, gitDiff: unknown, replacement: string): Read {
  const result = schema.safeParse(gitDiff);
  if (result.success) return { stacks: [{ root, configuration: result.data }], problems: [] };
  const problems = formatProblems(root, gitDiff, result.error);
  if (typeof gitDiff !== "object" || gitDiff === null) return { stacks: [], problems };
  const { name, repositories, collections } = gitDiff as Record<string, unknown>;
  const valid = parseValidPart(schema, { region: "us-east-1", name, repositories, collections });
  if (!valid) return { stacks: [], problems };
  const isNamed = name === undefined || name === valid.name;
  const configuration = isNamed ? valid : { ...valid, name: replacement };
  return { stacks: [{ root, configuration }], problems };
}
