import { ConfigError } from "../lib/errors.ts";

/** Calls all readers, and returns their results. @throws ConfigError with the mistakes of all, and those given */
export function readAll<T extends readonly unknown[]>(
  mistakes: readonly string[],
  ...readers: { [K in keyof T]: () => T[K] }
): T {
  const problems = [...mistakes];
  const results = readers.map((read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return results as unknown as T;
}
