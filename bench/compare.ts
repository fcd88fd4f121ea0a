import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { diffOptions } from "../image/diff/diff.ts";
import { git, hermetic } from "../test/fixtures/git.ts";
import type { Host } from "../test/fixtures/git-host.ts";
import { type Measure, measure, type Way } from "./measure.ts";
import { beginAt, environment, note, type Setting } from "./setting.ts";

/** Collects some days of a repository in three ways, and prints them side by side. */
export async function compareWays(setting: Setting, path: string, days: number): Promise<void> {
  const { folder, host, aws, bucket } = setting;
  const ask = async (...args: string[]) => (await git(args, { cwd: path })).toString().trim();
  const to = await ask("rev-parse", "HEAD");
  const since = Number(await ask("show", "-s", "--format=%ct", to)) - days * 86_400;
  const from = await ask("rev-list", "--first-parent", "--max-count=1", `--before=${since}`, to);
  const [all, few] = [
    await ask("rev-list", "--count", to),
    await ask("rev-list", "--count", `${from}..${to}`),
  ];

  const scratch = join(folder, "scratch");
  // Each run has a place and a cursor of its own, as the run of the day before would have left them.
  let turn = 0;
  const prepare = () => beginAt(setting, `/bench/${++turn}`, `${bucket}/${turn}`, from);
  note("Measuring the obvious way");
  const ours: Way = async (temporary, run) =>
    run({ program: setting.worker, args: [], env: { ...environment(setting, turn), TMPDIR: temporary } });
  const clone = { name: "the obvious way", prepare, way: cloneAll(setting, from) };
  const contenders = [
    { name: "this worker", prepare, way: ours },
    { name: "the floor", prepare, way: bareGit(host, from, to) },
  ];
  const [obvious] = await measure([clone], scratch, host, 1);
  note("Measuring this worker and the floor in turns");
  const [worker, floor] = await measure(contenders, scratch, host, 9);
  if (!obvious || !worker || !floor) return;

  const key = (await aws.objects(bucket, `${turn - 1}/`)).find((key) => key.endsWith(".diff")) ?? "";
  const same = Buffer.compare(await aws.body(bucket, key), await aws.body(bucket, "obvious.diff")) === 0;
  console.log(`\n${few} of ${all} commits (${days} days): ${from.slice(0, 7)}..${to.slice(0, 7)}\n`);
  print([obvious, worker, floor]);
  console.log(`
The worker is ${ratio(obvious.seconds, worker.seconds)} times faster than the obvious way, with \
${ratio(obvious.wireBytes, worker.wireBytes)} times fewer bytes over the wire and \
${ratio(obvious.diskBytes, worker.diskBytes)} times less disk, and takes ${ratio(worker.seconds, floor.seconds)} times \
as long as the floor. The two diffs are ${same ? "the same, byte for byte" : "DIFFERENT"}.`);
  if (!same) process.exitCode = 1;
  await countRequests(setting, from);
}

/** What the protocol costs: the requests of a day with a change, and of one without. */
async function countRequests(setting: Setting, from: string): Promise<void> {
  const { aws, bucket, folder, host, worker } = setting;
  await beginAt(setting, "/bench/requests", `${bucket}/requests`, from);
  const place = { PARAMETER_NAME: "/bench/requests", RESULTS_BUCKET: `${bucket}/requests` };
  const env = { ...environment(setting, 0), ...place, AWS_ENDPOINT_URL: aws.endpoint, TMPDIR: folder };
  const way: Way = (_, run) => run({ program: worker, args: [], env });
  for (const day of ["a change", "no change"]) {
    aws.calls.length = 0;
    await measure([{ name: day, prepare: async () => {}, way }], join(folder, "scratch"), host, 1);
    const calls = aws.calls.map(({ operation }) => operation);
    console.log(
      `\nWith ${day}: ${host.requests.length} HTTP requests to the git host, ${calls.length} to AWS (${calls.join(", ")}).`,
    );
  }
}

const cloneAll =
  ({ host, aws, bucket }: Setting, from: string): Way =>
  async (folder, run) => {
    const [clone, diff] = [join(folder, "clone"), join(folder, "changes.diff")];
    const env = hermetic();
    await run({ program: "git", args: ["clone", "--quiet", host.url("repository"), clone], env });
    await run({
      program: "git",
      args: ["-C", clone, "diff", ...diffOptions, from, "HEAD"],
      env,
      output: diff,
    });
    const answer = await fetch(`${aws.motoEndpoint}/${bucket}/obvious.diff`, {
      method: "PUT",
      body: await readFile(diff),
    });
    if (!answer.ok) throw new Error(`The upload was answered with ${answer.status}.`);
  };

const bareGit =
  (host: Host, from: string, to: string): Way =>
  async (folder, run) => {
    const git = (...args: string[]) => ({ program: "git", args: ["-C", folder, ...args], env: hermetic() });
    await run(git("init", "--quiet", "--bare"));
    await run(git("ls-remote", "--symref", host.url("repository"), "HEAD"));
    await run(git("remote", "add", "origin", host.url("repository")));
    await run(git("fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", from, to));
    await run({ ...git("diff", ...diffOptions, from, to), output: join(folder, "changes.diff") });
  };

const ratio = (left: number, right: number) => {
  const value = left / right;
  return value < 10 ? value.toFixed(2) : String(Math.round(value));
};

function print(rows: readonly Measure[]): void {
  const mega = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
  const last = rows.at(-1);
  console.log("| | time | to the floor | over the wire | disk | memory |\n|---|---:|---:|---:|---:|---:|");
  for (const { name, seconds, wireBytes, diskBytes, memoryBytes } of rows) {
    const cells = [name, `${seconds.toFixed(2)} s`, ratio(seconds, last?.seconds ?? seconds)];
    console.log(`| ${[...cells, mega(wireBytes), mega(diskBytes), mega(memoryBytes)].join(" | ")} |`);
  }
}
