import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const entry = join(import.meta.dirname, "../../image/main.ts");

export interface Event {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a JSON line holds is for the tests to say
  readonly [key: string]: any;
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON lines of standard output. */
  readonly events: readonly Event[];
  /** What it left in its temporary folder. */
  readonly left: readonly string[];
  readonly seconds: number;
}

export interface Running {
  readonly process: ChildProcess;
  /** The folder that the worker has for its scratch repositories. */
  readonly temporary: string;
  readonly finished: Promise<Ran>;
}

export interface WorkerOptions {
  /** Arguments; none is the worker as the container runs it. */
  args?: readonly string[];
  cwd?: string;
}

/** Starts the worker as a process of its own that sees this environment and a PATH, and nothing else. */
export async function startWorker(
  environment: Readonly<Record<string, string>>,
  { args = [], cwd = tmpdir() }: WorkerOptions = {},
): Promise<Running> {
  const home = await mkdtemp(join(tmpdir(), "worker-"));
  const temporary = join(home, "tmp");
  await mkdir(temporary);
  const started = performance.now();
  const env = { PATH: process.env.PATH, HOME: home, TMPDIR: temporary, ...environment };
  const child = spawn(process.execPath, [entry, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream) text += chunk;
    return text;
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const finish = async (): Promise<Ran> => {
    const status = await closed;
    const [out = "", err = ""] = await Promise.all([stdout, stderr]);
    const left = await readdir(temporary);
    await rm(home, { recursive: true, force: true });
    const events = out
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line): Event => JSON.parse(line));
    return { status, stdout: out, stderr: err, events, left, seconds: (performance.now() - started) / 1_000 };
  };
  return { process: child, temporary, finished: finish() };
}

export async function runWorker(
  environment: Readonly<Record<string, string>>,
  options: WorkerOptions = {},
): Promise<Ran> {
  return (await startWorker(environment, options)).finished;
}
