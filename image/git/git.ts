import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { pipeline, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Location } from "../host/location.ts";
import { GitError } from "../lib/errors.ts";

export interface GitOptions {
  /** The scratch repository: git's directory, the working directory and the only place git writes to. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** The work tree, and then the working directory: git reads `.gitattributes` from there. */
  readonly worktree?: string;
  /** Configuration for these commands only, as [key, value]; goes through the environment, never to disk. */
  readonly config?: readonly (readonly [key: string, value: string])[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Written to git's standard input. */
  readonly input?: string | Uint8Array | Readable;
  /** Called with each line of standard error as it comes, progress included. */
  readonly onLine?: (line: string) => void;
  /** Takes the secrets out of what git says, before anybody sees it. */
  readonly redact: (text: string) => string;
}

/** Of the caller's environment, git sees these only: where programs are, and the way to the host. */
const inherited = [
  "PATH",
  ...["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
];

/** These as well, but seen from the scratch repository, where git works. */
const inheritedPaths = ["TMPDIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/** Nothing outside the scratch repository has a say: no configuration, hook, helper, prompt or housekeeping. */
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

/** Transport settings for one location. A secret in `header` stays in git's environment. */
export function transport(location: Location, header?: string): [string, string][] {
  return [
    ["protocol.allow", "never"],
    [`protocol.${location.transport}.allow`, "always"],
    // git would send an extra header along to wherever a redirect leads.
    ["http.followRedirects", header === undefined ? "initial" : "false"],
    ["http.lowSpeedLimit", "1"],
    ["http.lowSpeedTime", "120"],
    ...(header === undefined ? [] : [[`http.${location.url}.extraHeader`, header] as [string, string]]),
  ];
}

/** Runs git and gives its standard output. @throws GitError, or the signal's reason */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const running = stream(args, options);
  const chunks: Uint8Array[] = [];
  for await (const chunk of running) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

/**
 * Runs git and gives its standard output as it comes. The end is reached only after git has exited with 0: a git
 * that fails closes its output normally too, so end of stream alone proves nothing.
 * @throws GitError, or the signal's reason
 */
export async function* stream(
  args: readonly string[],
  options: GitOptions,
): AsyncGenerator<Uint8Array, void, void> {
  options.signal.throwIfAborted();
  // A process group of its own, so that git's helpers (git-remote-https, index-pack) end with it.
  const child = spawn("git", args, {
    cwd: options.worktree ?? options.directory,
    env: environment(options),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stop = () => kill(child, "SIGTERM");
  options.signal.addEventListener("abort", stop, { once: true });
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once("error", reject);
    // Not "close": Bun does not always send it.
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "SIGKILL"));
  });
  exited.catch(() => {});
  const complaint = hear(child.stderr, options.onLine);
  // git may end before it has read all; its exit status tells.
  child.stdin.on("error", () => {});
  if (!(options.input instanceof Readable)) child.stdin.end(options.input);
  else if (child.stdin.writable) pipeline(options.input, child.stdin, () => {});
  else options.input.destroy(); // git could not be started
  let ended = false;
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const status = await exited;
    ended = true;
    options.signal.throwIfAborted();
    if (status !== 0) throw failed(args, status, await complaint(), options.redact);
  } catch (error) {
    options.signal.throwIfAborted();
    // A program that is not there breaks the pipe first, and tells why only then.
    const reason = await Promise.race([
      exited.then(
        () => error,
        (reason) => reason,
      ),
      sleep(1_000, error),
    ]);
    if ((reason as NodeJS.ErrnoException).code === "ENOENT") {
      throw new GitError("git-missing", "The program git is not on PATH.", "Install git 2.39 or newer.", {
        cause: error,
      });
    }
    throw error;
  } finally {
    options.signal.removeEventListener("abort", stop);
    if (!ended) {
      stop();
      await exited.catch(() => {});
    }
  }
}

function environment(options: GitOptions): Record<string, string> {
  const given = (names: readonly string[], as: (value: string) => string) =>
    Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, as(process.env[name])]] : [])));
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
    // What was left out is fetched in one go when it is wanted, never by a command that happens on it.
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

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended by itself in between.
  }
  if (signal === "SIGTERM") setTimeout(() => kill(child, "SIGKILL"), 2_000).unref();
}

/** What a host says may come to a terminal, which must not take it for commands. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\t\n]/gu, "");

/** Hands on each line of what is said; the function it gives waits for the end and gives the last 16 KiB. */
export function hear(said: Readable, onLine: ((line: string) => void) | undefined): () => Promise<string> {
  let rest = "";
  let kept = "";
  const take = (raw: string, terminator: string) => {
    const line = printable(raw);
    if (line.trim() !== "") onLine?.(line.trim());
    // Progress ends with a carriage return; it is shown and forgotten.
    if (terminator === "\n") kept = `${kept}${line}\n`.slice(-16_384);
  };
  said.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split(/([\r\n])/);
    rest = (parts.pop() ?? "").slice(-16_384);
    for (let index = 0; index + 1 < parts.length; index += 2)
      take(parts[index] ?? "", parts[index + 1] ?? "");
  });
  const ended = new Promise((resolve) => said.once("end", resolve).once("error", resolve));
  return async () => {
    // A helper of git's that lives on could hold it open.
    await Promise.race([ended, sleep(1_000)]);
    return (kept + rest).trim();
  };
}

/** What git's words mean, first match first; git itself tells them apart by nothing else. */
const meanings: readonly (readonly [words: RegExp, code: string, message: string, remedy: string])[] = [
  [
    /CONNECT tunnel|returned error: 407|resolve proxy|Unsupported proxy/,
    "git-unreachable",
    "The proxy does not let the request through",
    "Check HTTPS_PROXY and NO_PROXY.",
  ],
  [
    /returned error: 40[13]|HTTP 40[13]|Authentication failed|could not read (Username|Password)/,
    "git-denied",
    "The host denied access",
    "Check the credentials and that they may read this repository.",
  ],
  [
    /dubious ownership/,
    "git-denied",
    "The folder belongs to another user, whose configuration git will not trust",
    "Run as that user.",
  ],
  [
    /does not appear to be a git repository/,
    "git-not-found",
    "There is no git repository in this folder",
    "Give the folder that has the .git folder in it.",
  ],
  [
    /returned error: (404|410|451)|repository .* not found|valid: is this a git repository/i,
    "git-not-found",
    "There is no such repository, or these credentials may not see it",
    "Check the URL and the credentials.",
  ],
  [
    /returned error: 30[1278]/,
    "git-moved",
    "The host answered with a redirect, and credentials are never sent after one",
    "Set the URL to the repository's present address.",
  ],
  [
    /No space left on device/,
    "git-disk-full",
    "The disk is full",
    "Give the task more ephemeral storage, or TMPDIR a larger disk.",
  ],
  [
    /mismatched algorithms/,
    "git-failed",
    "The repository uses SHA-256, which is not supported",
    "Collect a repository that uses SHA-1.",
  ],
  [
    /remote error|not our ref|unadvertised|does not support|(returned error:|HTTP) 4(?!29|08)\d\d/,
    "git-refused",
    "The host refused what was asked",
    "The words of the host tell more.",
  ],
  [
    /Could not resolve|Failed to connect|Couldn't connect|Connection (refused|timed out)|SSL|certificate|returned error: (5\d\d|429|408)|Empty reply/i,
    "git-unreachable",
    "The host could not be reached",
    "Check the URL, the network, the proxy and the certificate authority (GIT_SSL_CAINFO).",
  ],
  [
    /early EOF|unexpected disconnect|hung up|transfer closed|RPC failed|too slow|unable to access/i,
    "git-cut-off",
    "The connection broke",
    "The next run tries again; if it lasts, look at the host and the network.",
  ],
];

function failed(
  args: readonly string[],
  status: number | NodeJS.Signals,
  complaint: string,
  redact: (text: string) => string,
): GitError {
  if (typeof status === "number") return refusal(args, complaint, redact, `ended with status ${status}`);
  const how = `git ${args[0]} ended with ${status}: ${shown(complaint, redact)}`;
  const remedy = "Give the task more memory, if that was why.";
  return new GitError("git-killed", `git was killed: ${how}`, remedy);
}

/** What the words mean with which a git command, or the host it talked to, refused. */
export function refusal(
  args: readonly string[],
  complaint: string,
  redact: (text: string) => string,
  how = "was refused",
): GitError {
  // These meet what the host sent, and there is another way to ask for it.
  const otherwise = args[0] === "fetch" || args[0] === "index-pack" ? "git-refused" : "git-failed";
  const [, code, message, remedy] = meanings.find(([words]) => words.test(complaint)) ?? [
    undefined,
    otherwise,
    "git failed",
    "The words of git tell more.",
  ];
  return new GitError(code, `${message}: git ${args[0]} ${how}: ${shown(complaint, redact)}`, remedy);
}

const shown = (complaint: string, redact: (text: string) => string): string =>
  redact(printable(complaint)).replace(/\s+/g, " ").slice(-600) || "(it said nothing)";
