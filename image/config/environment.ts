import { ConfigError } from "../lib/errors.ts";
import { type Repository, readRepositories } from "./repositories.ts";
import { type Bounds, readBounds } from "./settings.ts";
import type { Environment } from "./variables.ts";

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
