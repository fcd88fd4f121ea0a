import { resolve } from "node:path";
import { ConfigError } from "../lib/errors.ts";
import type { Options } from "./arguments.ts";

/** Where results are that a command reads: a folder, or a `bucket/prefix` of S3. */
export type Place = { readonly folder: string } | { readonly destination: string };

/** Parses `s3://bucket/prefix`, or the path of a folder. A relative path begins at `base`. */
export function parsePlace(text: string, base: string): Place {
  const [, destination] = /^s3:\/\/(.+?)\/*$/.exec(text) ?? [];
  return destination === undefined ? { folder: resolve(base, text) } : { destination };
}

/** Parses --at and --step. @throws ConfigError */
export function parseMoment({ at, step }: Options): { readonly at?: Date; readonly step?: number } {
  if (at !== undefined && step !== undefined)
    throw new ConfigError(["--at and --step are both given: use one."]);
  if (step !== undefined && !/^[1-9]\d{0,9}$/.test(step))
    throw new ConfigError(["--step is no number of a step."]);
  const time = at === undefined ? undefined : new Date(at);
  if (time && Number.isNaN(time.getTime()))
    throw new ConfigError(["--at is no time; write it as in 2026-01-02T00:00:00Z."]);
  return { ...(time && { at: time }), ...(step && { step: Number(step) }) };
}
