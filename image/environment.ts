import { z } from "zod";
import { ConfigError } from "./errors.ts";
import { branchProblem, type Location, parseLocation } from "./location.ts";

/** Every variable that the worker reads, besides the AWS SDK's and git's own for proxies and certificates. */
export const variables = {
  gitRepo: "GIT_REPO",
  gitBranch: "GIT_BRANCH",
  parameterName: "PARAMETER_NAME",
  resultsBucket: "RESULTS_BUCKET",
  gitHttpCredentials: "GIT_HTTP_CREDENTIALS",
  repositories: "REPOSITORIES",
  concurrency: "CONCURRENCY",
  timeoutSeconds: "REPOSITORY_TIMEOUT_SECONDS",
  maxDiffBytes: "MAX_DIFF_BYTES",
  leaseSeconds: "STEP_LEASE_SECONDS",
  onGoneCommit: "ON_GONE_COMMIT",
  binary: "BINARY",
  scheduledTime: "SCHEDULED_TIME",
} as const;

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** One configured repository: what to fetch, and where its cursor and its diffs live. */
export interface Repository {
  readonly location: Location;
  /** The branch to follow; the remote's HEAD where undefined. */
  readonly branch: string | undefined;
  /** Name of the SSM parameter, or path of the cursor's file. */
  readonly cursor: string;
  /** `bucket` or `bucket/prefix`, or a folder; no slash at the end. */
  readonly place: string;
  readonly credentials: Credentials | undefined;
}

/** What holds for every repository of a run. */
export interface Bounds {
  readonly concurrency: number;
  readonly timeoutSeconds: number;
  readonly maxDiffBytes: number;
  /** How long a claimed step is left to the run that claimed it; more than the timeout, so that none outlives it. */
  readonly leaseSeconds: number;
  /** What to do when the last collected commit cannot be had any more: a new baseline, or an error. */
  readonly onGoneCommit: "baseline" | "fail";
  /** Whether diffs hold the content of binary files, so that they alone make up every file. */
  readonly binary: boolean;
  /** The minute that names this run's diffs. */
  readonly scheduledTime: Date;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** S3 takes at most 10,000 parts, and the upload's parts are 5 MiB. */
const largestUpload = 10_000 * 5 * 1024 * 1024;

const wholeNumber = (least: number, most: number, byDefault: string) => {
  const error = `must be a whole number from ${least} to ${most}; leave it unset for ${byDefault}.`;
  return z.coerce
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, { error })
    .optional();
};

/** A run that is over takes a while to withdraw what it has begun. */
const graceSeconds = 60;

const boundsSchema = z.object({
  [variables.concurrency]: wholeNumber(1, 64, "8"),
  [variables.timeoutSeconds]: wholeNumber(1, 86_400, "3600"),
  [variables.maxDiffBytes]: wholeNumber(1, largestUpload, "10737418240"),
  [variables.leaseSeconds]: wholeNumber(1, 604_800, `${variables.timeoutSeconds} and a minute`),
  [variables.onGoneCommit]: z
    .enum(["baseline", "fail"], { error: "must be baseline or fail; leave it unset for baseline." })
    .default("baseline"),
  [variables.binary]: z
    .enum(["omit", "include"], { error: "must be omit or include; leave it unset for omit." })
    .default("omit"),
  [variables.scheduledTime]: z.iso
    .datetime({
      offset: true,
      error: "must be an ISO 8601 time such as 2026-01-02T00:00:00Z; leave it unset for now.",
    })
    .optional(),
});

/** @throws ConfigError with every mistake */
export function readBounds(environment: Environment, now: Date): Bounds {
  const set = Object.fromEntries(
    Object.keys(boundsSchema.shape).map((name) => [name, environment[name] || undefined]),
  );
  const parsed = boundsSchema.safeParse(set);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => {
        const name = String(issue.path[0]);
        return `${name} is "${environment[name]}": it ${issue.message}`;
      }),
    );
  }
  const bounds = parsed.data;
  const timeoutSeconds = bounds[variables.timeoutSeconds] ?? 3_600;
  const leaseSeconds = bounds[variables.leaseSeconds] ?? timeoutSeconds + graceSeconds;
  if (leaseSeconds <= timeoutSeconds) {
    const rule = `it must be more than ${variables.timeoutSeconds} (${timeoutSeconds}), or a run could outlive its claim`;
    throw new ConfigError([
      `${variables.leaseSeconds} is "${leaseSeconds}": ${rule}; leave it unset for a minute more.`,
    ]);
  }
  return {
    concurrency: bounds[variables.concurrency] ?? 8,
    timeoutSeconds,
    maxDiffBytes: bounds[variables.maxDiffBytes] ?? 10 * 1024 ** 3,
    leaseSeconds,
    onGoneCommit: bounds[variables.onGoneCommit],
    binary: bounds[variables.binary] === "include",
    scheduledTime: new Date(bounds[variables.scheduledTime] ?? now),
  };
}

const entrySchema = z.strictObject({
  gitRepo: z.string(),
  gitBranch: z.string().optional(),
  parameterName: z.string(),
  resultsBucket: z.string(),
  gitHttpCredentials: z.string().optional(),
});
type Entry = z.infer<typeof entrySchema>;

/** The worker's repositories and bounds. @throws ConfigError with every mistake, before anything is contacted */
export function readEnvironment(
  environment: Environment,
  now: Date,
): { repositories: Repository[]; bounds: Bounds } {
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  };
  const bounds = attempt(() => readBounds(environment, now));
  const repositories = attempt(() => readRepositories(environment));
  if (!bounds || !repositories || problems.length > 0) throw new ConfigError(problems);
  return { repositories, bounds };
}

function readRepositories(environment: Environment): Repository[] {
  const single = [variables.gitRepo, variables.gitBranch, variables.parameterName, variables.resultsBucket];
  if (!environment[variables.repositories]) {
    const problems: string[] = [];
    const entry: Entry = {
      gitRepo: environment[variables.gitRepo] ?? "",
      gitBranch: environment[variables.gitBranch] || undefined,
      parameterName: environment[variables.parameterName] ?? "",
      resultsBucket: environment[variables.resultsBucket] ?? "",
      gitHttpCredentials: variables.gitHttpCredentials,
    };
    const repository = readEntry(
      entry,
      (key) => variables[key],
      { [variables.gitHttpCredentials]: "-", ...environment },
      problems,
    );
    if (!repository) throw new ConfigError(problems);
    return [repository];
  }
  const name = variables.repositories;
  const problems = single
    .filter((variable) => environment[variable])
    .map(
      (variable) =>
        `${variable} and ${name} are both set: use ${name} for many repositories, or the single variables for one.`,
    );
  const repositories = readList(environment[name] ?? "").flatMap((entry, index) => {
    const parsed = entrySchema.safeParse(entry);
    if (parsed.success) {
      return readEntry(parsed.data, (key) => `${name}[${index}].${key}`, environment, problems) ?? [];
    }
    problems.push(
      ...parsed.error.issues.map(
        (issue) => `${[`${name}[${index}]`, ...issue.path].join(".")} is not right: ${issue.message}.`,
      ),
    );
    return [];
  });
  problems.push(
    ...twice(repositories, "cursor", "parameterName"),
    ...twice(repositories, "place", "resultsBucket"),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return repositories;
}

function readList(text: string): unknown[] {
  const shape = `${variables.repositories} must be a JSON array such as [{"gitRepo":"https://host/name.git","parameterName":"/git-diff/name","resultsBucket":"bucket/name"}]`;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new ConfigError([`${shape}; it is not JSON (${(error as Error).message}).`]);
  }
  if (!Array.isArray(list) || list.length === 0)
    throw new ConfigError([`${shape}, with at least one entry.`]);
  return list;
}

function readEntry(
  entry: Entry,
  nameOf: (key: keyof Entry) => string,
  environment: Environment,
  problems: string[],
): Repository | undefined {
  const before = problems.length;
  const complain = (key: keyof Entry, problem: string | undefined) => {
    if (problem) problems.push(`${nameOf(key)} ${problem}`);
  };
  const location = parseLocation(entry.gitRepo);
  if ("problem" in location) complain("gitRepo", location.problem);
  complain("gitBranch", entry.gitBranch === undefined ? undefined : branchProblem(entry.gitBranch));
  complain("parameterName", parameterProblem(entry.parameterName));
  const place = entry.resultsBucket.replace(/\/+$/, "");
  complain("resultsBucket", placeProblem(place));
  let credentials: Credentials | undefined;
  if (entry.gitHttpCredentials !== undefined) {
    const text = environment[entry.gitHttpCredentials];
    if (text === undefined) {
      complain(
        "gitHttpCredentials",
        `names the variable ${entry.gitHttpCredentials}, which is not set: set it to user:password, or to - for none.`,
      );
    } else {
      const read = readCredentials(entry.gitHttpCredentials, text);
      if (typeof read === "string") problems.push(read);
      else credentials = read;
    }
  }
  if (problems.length > before || "problem" in location) return undefined;
  return { location, branch: entry.gitBranch, cursor: entry.parameterName, place, credentials };
}

/** The credentials in `text`, none for an empty text or `-`, or the sentence that says what is wrong with them. */
export function readCredentials(variable: string, text: string): Credentials | undefined | string {
  if (text === "" || text === "-") return undefined;
  const colon = text.indexOf(":");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters would end the HTTP header
  if (colon < 0 || /[\x00-\x1f\x7f]/.test(text)) {
    return `${variable} must be user:password on one line (its value is not shown), or - for none.`;
  }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html */
function parameterProblem(name: string): string | undefined {
  if (name === "") return "is missing: name the SSM parameter that holds the cursor, such as /git-diff/api.";
  if (/^(arn:[^:]+:ssm:[^:]+:\d+:parameter)?[\w./-]{1,1011}$/.test(name)) return undefined;
  return `is "${name}": an SSM parameter's name has only letters, digits and . _ - /.`;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
function placeProblem(place: string): string | undefined {
  if (place === "")
    return "is missing: name the bucket for the diffs, such as my-bucket or my-bucket/prefix.";
  const [bucket = "", ...prefix] = place.split("/");
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    return `is "${place}": it must be bucket or bucket/prefix, and a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens.`;
  }
  if (prefix.some((part) => part === "" || part === "." || part === "..")) {
    return `is "${place}": a part of the prefix is empty, . or ..`;
  }
}

function twice(repositories: Repository[], property: "cursor" | "place", key: string): string[] {
  const values = repositories.map((repository) => repository[property]);
  const repeated = new Set(values.filter((value, index) => values.indexOf(value) !== index));
  return [...repeated].map(
    (value) =>
      `${variables.repositories} has the ${key} "${value}" twice: every repository needs one of its own.`,
  );
}
