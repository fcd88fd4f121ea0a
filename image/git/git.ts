import { type ChildProcess, spawn } from "node:child_process";
import { pipeline, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { GitError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import { type GitEnvironmentOptions, gitEnvironment } from "./environment.ts";
import { exitError } from "./git-error.ts";
import { collectStderr } from "./stderr.ts";

export interface GitOptions extends GitEnvironmentOptions {
  readonly signal: AbortSignal;
  /** Goes to git's stdin. */
  readonly input?: string | Uint8Array | Readable;
  /** Receives each line of stderr as it comes, progress included. */
  readonly onLine?: (line: string) => void;
}

/** Runs git and returns its stdout, in latin1. @throws GitError, or the signal's reason */
export async function runGit(args: readonly string[], options: GitOptions): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamGit(args, options)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

/**
 * Runs git and streams its stdout. The stream ends only after git has exited with 0: a failing git closes its stdout
 * normally too, so the end of stdout alone proves nothing.
 * @throws GitError, or the signal's reason
 */
export async function* streamGit(
  args: readonly string[],
  options: GitOptions,
): AsyncGenerator<Uint8Array, void, void> {
  options.signal.throwIfAborted();
  // A process group of its own, so that the processes that git starts end with it.
  const child = spawn("git", args, {
    cwd: options.worktree ?? options.directory,
    env: gitEnvironment(options),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stop = () => kill(child, "SIGTERM");
  options.signal.addEventListener("abort", stop, { once: true });
  const exited = exitOf(child);
  const stderr = collectStderr(child.stderr, options.onLine);
  feed(child, options.input);
  let ended = false;
  try {
    yield* letTimersRun(child.stdout as AsyncIterable<Uint8Array>);
    const status = await exited;
    ended = true;
    options.signal.throwIfAborted();
    if (status !== 0) throw exitError(args, status, await stderr());
  } catch (error) {
    options.signal.throwIfAborted();
    throw await startError(exited, error);
  } finally {
    options.signal.removeEventListener("abort", stop);
    if (!ended) {
      stop();
      await exited.catch(() => {});
    }
  }
}

/** Resolves to how a process exited, and rejects where it could not start. */
function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once("error", reject);
    // Not "close": Bun does not always emit it.
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "SIGKILL"));
  });
  exited.catch(() => {});
  return exited;
}

function feed({ stdin }: ChildProcess, input: GitOptions["input"]): void {
  // git may exit before it has read everything; its exit status says whether that is an error.
  stdin?.on("error", () => {});
  if (!(input instanceof Readable)) stdin?.end(input);
  else if (stdin?.writable) pipeline(input, stdin, () => {});
  else input.destroy(); // git could not start.
}

/** Returns a better error where git could not start. Its pipes break first, and the reason comes later. */
async function startError(exited: Promise<unknown>, error: unknown): Promise<unknown> {
  const reason = await Promise.race([
    exited.then(
      () => error,
      (reason) => reason,
    ),
    sleep(1_000, error),
  ]);
  if ((reason as NodeJS.ErrnoException).code !== "ENOENT") return error;
  const message = "The program git is not on PATH.";
  return new GitError("git-missing", message, "Install git 2.39 or newer.", { cause: error });
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It exited in the meantime.
  }
  if (signal === "SIGTERM") setTimeout(() => kill(child, "SIGKILL"), 2_000).unref();
}
