import { ConfigError } from "../lib/errors.ts";
import type { Options } from "./arguments.ts";

/** Parses --since and --output. @throws ConfigError with every mistake */
export function parseExport({ since, output }: Options): {
  readonly since?: number;
  readonly output: string;
} {
  const problems: string[] = [];
  if (since !== undefined && !/^[1-9]\d{0,9}$/.test(since)) problems.push("--since is no number of a step.");
  if (!output) problems.push("--output is missing: name the file to write, or - for stdout.");
  if (problems.length > 0 || !output) throw new ConfigError(problems);
  return { output, ...(since && { since: Number(since) }) };
}
