import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Host } from "../test/fixtures/git-host.ts";

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
}

/** One way to do the job, in an empty folder of its own. */
export type Way = (folder: string, run: (command: Command) => Promise<void>) => Promise<void>;

/** A way to do the job, and what is to be set up before each time. */
export interface Contender {
  readonly name: string;
  readonly prepare: () => Promise<void>;
  readonly way: Way;
  /** A folder that it keeps from one time to the next, and that counts as its disk too. */
  readonly keeps?: string;
}

/**
 * Measures ways side by side: in turns, `times` each for the time alone, so that whatever else the computer does
 * falls on all of them alike; and once more each for disk and memory, since looking at those every few milliseconds
 * takes time itself. What takes long is done once, for all.
 */
export async function measure(
  contenders: readonly Contender[],
  folder: string,
  host: Host,
  times: number,
): Promise<Measure[]> {
  const seconds = contenders.map((): number[] => []);
  const rest = contenders.map(() => ({ wireBytes: 0, diskBytes: 0, memoryBytes: 0 }));
  for (let turn = 0; turn <= times; turn++) {
    for (const [index, contender] of contenders.entries()) {
      await contender.prepare();
      const watched = turn === times || times === 1;
      const result = await once(folder, host, contender, watched);
      if (!watched || times === 1) seconds[index]?.push(result.seconds);
      if (watched) rest[index] = result;
    }
    if (times === 1) break;
  }
  return contenders.map(({ name }, index) => {
    const sorted = seconds[index]?.sort((left, right) => left - right) ?? [];
    return { ...(rest[index] as (typeof rest)[number]), name, seconds: sorted[sorted.length >> 1] ?? 0 };
  });
}

async function once(
  folder: string,
  host: Host,
  { way, keeps }: Contender,
  watched: boolean,
): Promise<Omit<Measure, "name">> {
  let [diskBytes, memoryBytes] = [0, 0];
  await mkdir(folder);
  host.reset();
  const running = new Set<number>();
  const look = () => {
    memoryBytes = Math.max(memoryBytes, residentBytes(running));
    diskBytes = Math.max(diskBytes, sizeOf(folder) + (keeps ? sizeOf(keeps) : 0));
  };
  const started = performance.now();
  let watch: NodeJS.Timeout | undefined;
  // The longer it takes already, the less often.
  const lookAgain = () => {
    look();
    watch = setTimeout(lookAgain, Math.min(250, Math.max(10, (performance.now() - started) / 50)));
  };
  if (watched) lookAgain();
  await way(folder, (command) => execute(command, running));
  const seconds = (performance.now() - started) / 1_000;
  clearTimeout(watch);
  if (watched) look();
  await rm(folder, { recursive: true, force: true });
  return { seconds, wireBytes: host.bytesSent + host.bytesReceived, diskBytes, memoryBytes };
}

async function execute({ program, args, env = {}, output }: Command, running: Set<number>): Promise<void> {
  const file = output === undefined ? undefined : await open(output, "w");
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", file?.fd ?? "pipe", "pipe"],
  });
  if (child.pid) running.add(child.pid);
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => printed.push(chunk));
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  await file?.close();
  if (child.pid) running.delete(child.pid);
  if (status !== 0)
    throw new Error(
      `${program} ${args[0]} ended with ${status}: ${Buffer.concat(printed).toString().slice(-2_000)}`,
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
