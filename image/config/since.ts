import { ConfigError } from "../lib/errors.ts";
import type { Options } from "./arguments.ts";

/** With which month a report begins: a month, or that of so many days before the newest month. */
export type Since = { readonly month: string } | { readonly days: number };

/** Parses --since of a report. @throws ConfigError */
export function parseSince({ since = "365d" }: Options): Since {
  const [, days] = /^([1-9]\d{0,4})d$/.exec(since) ?? [];
  if (days !== undefined) return { days: Number(days) };
  const [, month] = /^(\d{4}-(?:0[1-9]|1[0-2]))(?:-\d\d)?$/.exec(since) ?? [];
  if (month !== undefined) return { month };
  throw new ConfigError([
    `--since is "${since}"; write 365d for the last 365 days, or a month such as 2026-01.`,
  ]);
}
