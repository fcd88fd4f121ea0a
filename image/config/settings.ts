import { z } from "zod";
import type { Environment } from "../lib/environment.ts";
import { ConfigError } from "../lib/errors.ts";
import { readAuthorities } from "./authorities.ts";
import { variables } from "./variables.ts";

/** What applies to every repository of a run. */
export interface Settings {
  readonly concurrency: number;
  readonly timeoutSeconds: number;
  readonly maxDiffBytes: number;
  /** The size limit for each pack that a host sends. */
  readonly maxPackBytes: number;
  /** The number of requests that one host gets at a time. */
  readonly hostConcurrency: number;
  /** undefined for no limit. */
  readonly hostRequestsPerSecond: number | undefined;
  /** Certificates in PEM that git hosts' certificates must lead to; undefined for the usual ones. */
  readonly authorities: string | undefined;
  /** How long a claimed step belongs to its run. Longer than the timeout, so that no run outlives its claim. */
  readonly leaseSeconds: number;
  /** What to do when the host no longer has the last collected commit: start a new baseline, or fail. */
  readonly onGoneCommit: "baseline" | "fail";
  /** Whether diffs contain the content of binary files, so that they alone make up every file. */
  readonly binary: boolean;
  /** Whether pushes start runs too: one that came while a step was collected belongs to this run. */
  readonly onPush: boolean;
  /** Names this run's diffs, to the minute. */
  readonly scheduledTime: Date;
}

/** S3 accepts at most 10,000 parts, and an upload's parts are 5 MiB. */
const largestUpload = 10_000 * 5 * 1024 * 1024;

const wholeNumber = (least: number, most: number, byDefault: string) => {
  const error = `must be a whole number from ${least} to ${most}; leave it unset for ${byDefault}.`;
  return z
    .string()
    .regex(/^\d{1,16}$/, { error })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error })
    .optional();
};

/** Half of what a Fargate task has on its disk: an index and a diff's temporary files need room too. */
const packBytesByDefault = 10 * 1024 ** 3;

/** After its timeout, a run still needs time to withdraw an upload and release a claim. */
const graceSeconds = 60;

const settingsSchema = z.object({
  [variables.concurrency]: wholeNumber(1, 64, "8"),
  [variables.timeoutSeconds]: wholeNumber(1, 86_400, "3600"),
  [variables.maxDiffBytes]: wholeNumber(1, largestUpload, "10737418240"),
  [variables.maxPackBytes]: wholeNumber(1, 2 ** 43, String(packBytesByDefault)),
  [variables.hostConcurrency]: wholeNumber(1, 64, "8"),
  [variables.hostRequestsPerSecond]: wholeNumber(1, 1_000, "no limit"),
  [variables.authorities]: z.string().transform(readAuthorities).optional(),
  [variables.leaseSeconds]: wholeNumber(1, 604_800, `${variables.timeoutSeconds} and a minute`),
  [variables.onGoneCommit]: z
    .enum(["baseline", "fail"], { error: "must be baseline or fail; leave it unset for baseline." })
    .default("baseline"),
  [variables.binary]: z
    .enum(["omit", "include"], { error: "must be omit or include; leave it unset for omit." })
    .default("omit"),
  [variables.onPush]: z.literal("true", { error: "must be true; leave it unset otherwise." }).optional(),
  [variables.scheduledTime]: z.iso
    .datetime({
      offset: true,
      error: "must be an ISO 8601 time such as 2026-01-02T00:00:00Z; leave it unset for now.",
    })
    .optional(),
});

const awsSchema = z.object({ [variables.awsAuthorities]: z.string().transform(readAuthorities).optional() });

/** Reads the certificates in PEM that AWS's must lead to; undefined for the usual ones. @throws ConfigError */
export const readAwsAuthorities = (environment: Environment): string | undefined =>
  parse(awsSchema, environment)[variables.awsAuthorities];

/** Parses the variables that a schema names. @throws ConfigError with every mistake */
function parse<T extends z.ZodRawShape>(
  schema: z.ZodObject<T>,
  environment: Environment,
): z.output<z.ZodObject<T>> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).map((name) => [name, environment[name] || undefined]),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      // What was taken for certificates may be a private key.
      const value = environment[name]?.replace(/-----BEGIN .*/s, "-----BEGIN …");
      return `${name} is "${value}": it ${issue.message}`;
    }),
  );
}

/** Reads the settings from the environment. @throws ConfigError with every mistake */
export function readSettings(environment: Environment, now: Date): Settings {
  const settings = parse(settingsSchema, environment);
  const scheduledTime = new Date(settings[variables.scheduledTime] ?? now);
  if (scheduledTime.getUTCFullYear() > 9999) {
    throw new ConfigError([
      `${variables.scheduledTime} is "${environment[variables.scheduledTime]}": the year must be at most 9999.`,
    ]);
  }
  const timeoutSeconds = settings[variables.timeoutSeconds] ?? 3_600;
  const leaseSeconds = settings[variables.leaseSeconds] ?? timeoutSeconds + graceSeconds;
  if (leaseSeconds <= timeoutSeconds) {
    const rule = `it must be more than ${variables.timeoutSeconds} (${timeoutSeconds}), or a run could outlive its claim`;
    throw new ConfigError([
      `${variables.leaseSeconds} is "${leaseSeconds}": ${rule}; leave it unset for a minute more.`,
    ]);
  }
  return {
    concurrency: settings[variables.concurrency] ?? 8,
    timeoutSeconds,
    maxDiffBytes: settings[variables.maxDiffBytes] ?? 10 * 1024 ** 3,
    maxPackBytes: settings[variables.maxPackBytes] ?? packBytesByDefault,
    hostConcurrency: settings[variables.hostConcurrency] ?? 8,
    hostRequestsPerSecond: settings[variables.hostRequestsPerSecond],
    authorities: settings[variables.authorities],
    leaseSeconds,
    onGoneCommit: settings[variables.onGoneCommit],
    binary: settings[variables.binary] === "include",
    onPush: settings[variables.onPush] !== undefined,
    scheduledTime,
  };
}
