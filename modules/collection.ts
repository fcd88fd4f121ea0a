import { z } from "zod";
import { repository } from "./repository.ts";
import { validateExpression, validateTimezone } from "./schedule-expression.ts";
import { checked, object, text, wholeNumber } from "./schema.ts";

const repositoriesExample = '[{ "name": "api", "url": "https://github.com/acme/api.git" }]';
export const repositories = z
  .array(repository, `is not a list of repositories; write ${repositoriesExample}`)
  .min(1, `is empty; write ${repositoriesExample}`);

/** What a collection may set. Beside `collections`, each applies to every collection that does not set it. */
export const collectionSettings = {
  schedule: checked(validateExpression).optional(),
  timezone: checked(validateTimezone).optional(),
  flexibleWindowMinutes: wholeNumber(1, 1440, "minutes", 60).optional(),
  paused: z.boolean("is not true or false; use true to stop the schedule").optional(),
  onPush: z
    .boolean("is not true or false; use true to start a run whenever somebody pushes to CodeCommit")
    .optional(),
  cpu: z.number("is not a number of CPU units; use 1024").optional(),
  memory: z.number("is not a number of MiB; use 2048").optional(),
  // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
  diskGiB: wholeNumber(21, 200, "GiB", 100).optional(),
  concurrency: wholeNumber(1, 64, "repositories", 8).optional(),
  timeoutSeconds: wholeNumber(1, 86_400, "seconds", 3600).optional(),
  hostConcurrency: wholeNumber(1, 64, "requests", 8).optional(),
  hostRequestsPerSecond: wholeNumber(1, 1_000, "requests", 20).optional(),
  // 10,000 parts of 5 MiB, which S3 accepts at most.
  maxDiffBytes: wholeNumber(1, 10_000 * 5 * 1024 ** 2, "bytes", 10 * 1024 ** 3).optional(),
  maxPackBytes: wholeNumber(1, 2 ** 43, "bytes", 10 * 1024 ** 3).optional(),
  onGoneCommit: z.enum(["baseline", "fail"], 'is neither "baseline" nor "fail"; use one of these').optional(),
  binary: z.enum(["omit", "include"], 'is neither "omit" nor "include"; use one of these').optional(),
  drill: object({
    schedule: checked(validateExpression),
    parts: wholeNumber(1, 1000, "parts", 7).default(1),
  }).optional(),
};

/** What applies where neither a collection nor the configuration says otherwise. The worker has defaults of its own. */
export const collectionDefaults = {
  schedule: "cron(0 0 * * ? *)",
  timezone: "UTC",
  paused: false,
  cpu: 1024,
  memory: 2048,
} as const;

export const collection = object({
  name: text(
    /^[a-z][a-z0-9-]{0,18}[a-z0-9]$/,
    'cannot be part of resource names: use 2 to 20 lower-case letters, digits and dashes, such as "daily"',
  ),
  ...collectionSettings,
  repositories,
});

type Settings = Omit<z.output<typeof collection>, "name" | "repositories">;

/** One collection as configured, with defaults filled in and its repositories sorted by name. */
export type Collection = z.output<typeof collection> & {
  [Key in keyof typeof collectionDefaults]-?: NonNullable<Settings[Key]>;
} & {
  /** The worker's arguments. @default - it collects */
  readonly command?: readonly string[];
};

/** Fills in the defaults. Sorts the repositories, so that their order in the file makes no difference to the plan. */
export function complete(given: z.output<typeof collection>, shared: Settings): Collection {
  const sorted = given.repositories.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { ...collectionDefaults, ...shared, ...given, repositories: sorted };
}
