/** An error that its reader can correct in cdktf.json. The message is all that needs to be shown. */
export class ConfigurationError extends Error {
  /** Returns one error for all problems of `context`, each a line. */
  static of(problems: readonly string[]): ConfigurationError {
    const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
    return new ConfigurationError(`cdktf.json, context: ${count}\n  ${problems.join("\n  ")}`);
  }
}
