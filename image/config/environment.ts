import type { Environment } from "../lib/environment.ts";
import { readAll } from "./read-all.ts";
import { readRepositories } from "./repositories.ts";
import type { Repository } from "./repository.ts";
import { readAwsAuthorities, readSettings, type Settings } from "./settings.ts";
import { readTables, type TablesSettings } from "./tables.ts";

/** The configuration of a run. */
export interface Configuration {
  readonly settings: Settings;
  readonly repositories: readonly Repository[];
}

interface WorkerConfiguration extends Configuration {
  readonly awsAuthorities: string | undefined;
  readonly tables: TablesSettings | undefined;
}

/** Reads the worker's configuration. @throws ConfigError with every mistake, those of the arguments included */
export function readEnvironment(
  environment: Environment,
  now: Date,
  mistakes: readonly string[] = [],
): WorkerConfiguration {
  const [settings, repositories, awsAuthorities, tables] = readAll(
    mistakes,
    () => readSettings(environment, now),
    () => readRepositories(environment),
    () => readAwsAuthorities(environment),
    () => readTables(environment),
  );
  return { settings, repositories, awsAuthorities, tables };
}
