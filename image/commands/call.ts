import type { Arguments } from "../config/arguments.ts";
import type { Environment } from "../lib/environment.ts";

/** How a command was called. */
export interface Call {
  readonly args: Arguments;
  readonly environment: Environment;
  /** Stops the command. */
  readonly signal: AbortSignal;
}

/** Does what was asked, and reports it. Returns whether all of it succeeded. @throws ConfigError */
export type Run = (call: Call) => Promise<boolean>;
