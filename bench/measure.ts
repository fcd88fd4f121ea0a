import { spawn } from "node:child_process";
import { createWriteStream, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Host } from "../test/helpers/host.ts";

export interface Measure {
  readonly name: string;
  /** Median of the repetitions. */
  readonly seconds: number;
  /** What the git host sent and received. */
  readonly wireBytes: number;
  readonly diskBytes: number;
  /** All processes together. */
  readonly memoryBytes: number;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A file for its standard output. */
  readonly output?: string;
  readonly input?: string;
}

/** One way to do the job, in an empty folder of its own. */
export type Way = (folder: string, run: (command: Command) => Promise<void>) => Promise<void>;

/**
 * Measures a way: `times` for the time alone, and once more for disk and memory, since looking at those every few
 * milliseconds takes time itself. What takes long is done once, for all.
 */
export async function measure(
  name: string,
  folder: string,
  host: Host,
  times: number,
  prepare: () => Promise<void>,
  way: Way,
): Promise<Measure> {
  const seconds: number[] = [];
  let [wireBytes, diskBytes, memoryBytes] = [0, 0, 0];
  for (let turn = 0; turn <= times; turn++) {
    const watched = turn === times || times === 1;
    await prepare();
    await mkdir(folder);
    host.reset();
    const running = new Set<number>();
    const look = () => {
      memoryBytes = Math.max(memoryBytes, residentBytes(running));
      diskBytes = Math.max(diskBytes, sizeOf(folder));
    };
    const watch = watched ? setInterval(look, times === 1 ? 250 : 10) : undefined;
    const started = performance.now();
    await way(folder, (command) => execute(command, running));
    const taken = (performance.now() - started) / 1_000;
    clearInterval(watch);
    if (watched) look();
    if (!watched || times === 1) seconds.push(taken);
    wireBytes = host.bytesSent + host.bytesReceived;
    await rm(folder, { recursive: true, force: true });
    if (times === 1) break;
  }
  seconds.sort((left, right) => left - right);
  return { name, seconds: seconds[seconds.length >> 1] ?? 0, wireBytes, diskBytes, memoryBytes };
}

async function execute(
  { program, args, env = {}, output, input }: Command,
  running: Set<number>,
): Promise<void> {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (child.pid) running.add(child.pid);
  const said: Buffer[] = [];
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  if (output) child.stdout.pipe(createWriteStream(output));
  else child.stdout.on("data", (chunk: Buffer) => said.push(chunk));
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (child.pid) running.delete(child.pid);
  if (status !== 0)
    throw new Error(
      `${program} ${args[0]} ended with ${status}: ${Buffer.concat(said).toString().slice(-2_000)}`,
    );
}

/** Resident memory of these processes and all that descend from them. */
function residentBytes(roots: ReadonlySet<number>): number {
  const parents = new Map<number, number>();
  const pages = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      parents.set(Number(name), Number(fields[1]));
      pages.set(Number(name), Number(fields[21]));
    } catch {
      // It ended while we looked.
    }
  }
  const belongs = (pid: number): boolean =>
    roots.has(pid) || (parents.has(pid) && belongs(parents.get(pid) ?? 0));
  return [...pages].reduce((sum, [pid, count]) => sum + (belongs(pid) ? count * 4_096 : 0), 0);
}

function sizeOf(folder: string): number {
  let sum = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      sum += entry.isDirectory() ? sizeOf(path) : statSync(path).size;
    }
  } catch {
    // It was deleted while we looked.
  }
  return sum;
}
