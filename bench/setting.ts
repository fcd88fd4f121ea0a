import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planStep, recordName } from "../image/chain/record.ts";
import { type Aws, startAws } from "../test/fixtures/aws.ts";
import { type Host, startHost } from "../test/fixtures/git-host.ts";

/** A git host, an emulated AWS, and the compiled worker. */
export interface Setting {
  readonly folder: string;
  /** The folder of the repositories that the host serves. */
  readonly root: string;
  readonly host: Host;
  readonly aws: Aws;
  readonly bucket: string;
  /** The compiled worker, and what the container sets for it. */
  readonly worker: string;
  readonly tuning: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export const note = (text: string) => process.stderr.write(`${text}\n`);

export async function openSetting(): Promise<Setting> {
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  const root = join(folder, "hosted");
  await mkdir(root);
  const [host, aws] = [await startHost(root), await startAws()];
  const close = async () => {
    await Promise.all([host.close(), aws.close()]);
    await rm(folder, { recursive: true, force: true });
  };
  note("Compiling the worker");
  const [worker, source] = [join(folder, "worker"), join(import.meta.dirname, "../image/main.ts")];
  const built =
    await Bun.$`${process.execPath} build --compile --minify --bytecode ${source} --outfile ${worker}`.quiet();
  if (built.exitCode !== 0) throw new Error(built.stderr.toString());
  const dockerfile = await readFile(join(import.meta.dirname, "../image/Dockerfile"), "utf8");
  const tuning = Object.fromEntries(
    [...dockerfile.matchAll(/^ENV (BUN_\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
  );
  return { folder, root, host, aws, bucket: await aws.createBucket(), worker, tuning, close };
}

/** Has a repository as the run of the day before left it: a record that ends at `commit`, and the cursor there. */
export async function beginAt(
  { aws }: Pick<Setting, "aws">,
  parameter: string,
  place: string,
  commit: string,
): Promise<void> {
  const url = `${aws.motoEndpoint}/${place}`;
  const record = {
    ...planStep(undefined, commit, new Date(0)),
    ...{ schemaVersion: 1, state: "complete", number: 1, repository: "", ref: "HEAD", binary: false },
    ...{ last: null, cursor: null, previous: null, expected: null, owner: "" },
    ...{
      claimed: new Date(0),
      scheduled: new Date(0),
      started: new Date(0),
      finished: new Date(0),
      gitVersion: "",
      workerVersion: "",
    },
    ...{ bytes: null, sha256: null, files: null, binaryFiles: null, linesAdded: null, linesRemoved: null },
    ...{ commits: null, fromTree: null, toTree: null, strategy: null, packBytes: null },
  };
  await fetch(`${url}/${recordName(1)}`, { method: "PUT", body: JSON.stringify(record) });
  await aws.putParameter(parameter, commit);
}

/** Returns what the worker is to be started with. */
export const environment = (
  { host, aws, bucket, tuning }: Pick<Setting, "host" | "aws" | "bucket" | "tuning">,
  turn: number | string,
) => ({
  ...tuning,
  ...aws.environment,
  AWS_ENDPOINT_URL: aws.motoEndpoint,
  GIT_REPO: host.url("repository"),
  PARAMETER_NAME: `/bench/${turn}`,
  RESULTS_BUCKET: `${bucket}/${turn}`,
  SCHEDULED_TIME: "2026-01-02T00:00:00Z",
});

/** Runs the worker, and returns what it took. The memory is the peak of the worker itself, without git's. */
export async function runWorker({ worker, folder }: Setting, env: Readonly<Record<string, string>>) {
  const started = performance.now();
  const child = Bun.spawn([worker], {
    env: { PATH: process.env.PATH, TMPDIR: folder, ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  let memoryBytes = 0;
  const look = () => {
    const status = existsSync(`/proc/${child.pid}/status`)
      ? readFileSync(`/proc/${child.pid}/status`, "utf8")
      : "";
    memoryBytes = Math.max(memoryBytes, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024);
  };
  const watch = setInterval(look, 50);
  const output = await new Response(child.stdout).text();
  clearInterval(watch);
  const status = await child.exited;
  if (status !== 0) throw new Error(`The worker ended with ${status}: ${output.slice(-2_000)}`);
  const cpuSeconds = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { seconds: (performance.now() - started) / 1_000, cpuSeconds, memoryBytes };
}
