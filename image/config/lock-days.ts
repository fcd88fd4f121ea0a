import { ConfigError } from "../lib/errors.ts";
import type { Options } from "./arguments.ts";

/** Parses --lock-days. @throws ConfigError */
export function parseLockDays({ "lock-days": days }: Options): number | undefined {
  if (days === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(days)) return Number(days);
  throw new ConfigError([`--lock-days is "${days}", which is no number of days; write 30.`]);
}

/** A lock that has at least so many days left is not extended, as each extension costs a request. */
export const enoughDays = (lockDays: number): number => lockDays / 2;

/** Returns the days of a lock that never ends, where it is extended at least once in so many days. */
export const lockDaysFor = (interval: number): number => interval * 2;
