import { z } from "zod";
import { ConfigError } from "../lib/errors.ts";
import { type Environment, variables } from "./variables.ts";

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

/** S3 takes at most 10,000 parts, and the upload's parts are 5 MiB. */
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
  const scheduledTime = new Date(bounds[variables.scheduledTime] ?? now);
  if (scheduledTime.getUTCFullYear() > 9999) {
    throw new ConfigError([
      `${variables.scheduledTime} is "${environment[variables.scheduledTime]}": that is too far off.`,
    ]);
  }
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
    scheduledTime,
  };
}
