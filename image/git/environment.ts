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

/** The variables that git inherits: where programs are, and the way to the host. */
const inherited = [
  "PATH",
  ...["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
];

/** Inherited variables that hold a path. git works in the scratch repository, so a relative path becomes absolute. */
const inheritedPaths = ["TMPDIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/** Makes git hermetic: no configuration, hook, helper, prompt or housekeeping from outside the scratch repository. */
const hermetic: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["credential.helper", ""],
  ["fetch.recurseSubmodules", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["transfer.bundleURI", "false"],
  ["fetch.unpackLimit", "1"],
];

/** Returns the whole environment of a git process. Configuration goes through it, and never to disk. */
export function gitEnvironment(options: GitEnvironmentOptions): Record<string, string> {
  const given = (names: readonly string[], map: (value: string) => string) =>
    Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, map(process.env[name])]] : [])));
  const config = [...hermetic, ...(options.config ?? [])];
  return {
    ...given(inherited, (value) => value),
    ...given(inheritedPaths, (value) => resolve(value)),
    LC_ALL: "C",
    HOME: options.directory,
    GIT_DIR: options.directory,
    ...(options.worktree && { GIT_WORK_TREE: options.worktree }),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    // No command fetches a missing object by itself: all of a step's objects are fetched in one request.
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
