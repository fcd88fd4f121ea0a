import { resolve } from "node:path";

export interface GitEnvironmentOptions {
  /** The git directory, the working directory, and the only place that git writes to. */
  readonly directory: string;
  /** The work tree, which is then the working directory. git reads `.gitattributes` from there. */
  readonly worktree?: string;
  /** Configuration of this one command. */
  readonly config?: readonly (readonly [key: string, value: string])[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** The variables that git inherits. A relative TMPDIR becomes absolute, as git works in the scratch repository. */
const inherited = (): Record<string, string> => ({
  ...(process.env.PATH !== undefined && { PATH: process.env.PATH }),
  ...(process.env.TMPDIR && { TMPDIR: resolve(process.env.TMPDIR) }),
});

/** Makes git hermetic: no configuration, hook, prompt or housekeeping from outside the scratch repository. */
const hermetic: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  // A scratch repository outlives no crash.
  ["core.fsync", "none"],
];

/** Returns the whole environment of a git process. Configuration goes through it, and never to disk. */
export function gitEnvironment(options: GitEnvironmentOptions): Record<string, string> {
  const config = [...hermetic, ...(options.config ?? [])];
  return {
    ...inherited(),
    LC_ALL: "C",
    HOME: options.directory,
    GIT_DIR: options.directory,
    ...(options.worktree && { GIT_WORK_TREE: options.worktree }),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    // git must never fetch a missing object by itself.
    GIT_NO_LAZY_FETCH: "1",
    GIT_CONFIG_COUNT: String(config.length),
    ...Object.fromEntries(
      config.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
    ...options.environment,
  };
}
