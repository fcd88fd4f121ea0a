import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { planStep, recordName } from "../image/chain/record.ts";
import { diffOptions } from "../image/diff/diff.ts";
import { type Aws, startAws } from "../test/fixtures/aws.ts";
import { git, hermetic } from "../test/fixtures/git.ts";
import { type Host, startHost } from "../test/fixtures/git-host.ts";
import { makeRepository } from "../test/fixtures/repository.ts";
import { type Measure, measure, type Way } from "./measure.ts";

const usage = `Usage: npm run bench -- --repo PATH-OR-URL [--days N]

Serves the repository over smart HTTP on loopback, takes the commits of its newest N days (default: 1) and collects
them in three ways: the obvious one (clone everything, git diff to a file, upload it), this worker, and the floor (the
bare git commands of the worker's best way, ls-remote, fetch and diff, with nothing around them). Prints them side by side, and as ratios.
Then it collects 100 small repositories in one run.
`;

interface Setting {
  readonly folder: string;
  /** The folder of the repositories that the host serves. */
  readonly root: string;
  readonly host: Host;
  readonly aws: Aws;
  readonly bucket: string;
  /** The compiled worker, and what the container sets for it. */
  readonly worker: string;
  readonly tuning: Readonly<Record<string, string>>;
}

const note = (text: string) => process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { repo: { type: "string" }, days: { type: "string", default: "1" }, help: { type: "boolean" } },
  });
  if (values.help || !values.repo) {
    process.stdout.write(usage);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  const root = join(folder, "hosted");
  await mkdir(root);
  await using host = await startHost(root);
  await using aws = await startAws();
  try {
    const path = await place(values.repo, root);
    note("Compiling the worker");
    const [worker, source] = [join(folder, "worker"), join(import.meta.dirname, "../image/main.ts")];
    const built =
      await Bun.$`${process.execPath} build --compile --minify --bytecode ${source} --outfile ${worker}`.quiet();
    if (built.exitCode !== 0) throw new Error(built.stderr.toString());
    const dockerfile = await readFile(join(import.meta.dirname, "../image/Dockerfile"), "utf8");
    const tuning = Object.fromEntries(
      [...dockerfile.matchAll(/^ENV (BUN_\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
    );
    const setting = { folder, root, host, aws, bucket: await aws.createBucket(), worker, tuning };
    await compareWays(setting, path, Number(values.days));
    await collectMany(setting, 100);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Puts the repository among the hosted ones, and gives its path. */
async function place(repo: string, root: string): Promise<string> {
  const path = join(root, "repository.git");
  const local = resolve(process.env.INIT_CWD ?? ".", repo);
  if (existsSync(local)) {
    await symlink(existsSync(join(local, ".git")) ? join(local, ".git") : local, path);
    return path;
  }
  note(`Cloning ${repo}, to serve it from here`);
  await git(["clone", "--quiet", "--bare", repo, path]);
  return path;
}

async function compareWays(setting: Setting, path: string, days: number): Promise<void> {
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

/** Has a repository as the run of the day before left it: a record that ends at `commit`, and the cursor there. */
async function beginAt(
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

async function collectMany(
  { folder, root, host, aws, bucket, worker, tuning }: Setting,
  number: number,
): Promise<void> {
  note(`Making ${number} small repositories`);
  const entries = [];
  for (let index = 0; index < number; index++) {
    const repository = await makeRepository({ path: join(root, `small-${index}`) });
    for (let file = 0; file < 20; file++)
      await repository.write(`file-${file}.txt`, `${index} ${file}\n`.repeat(50));
    const from = await repository.commit();
    await repository.write("file-1.txt", "changed\n");
    await repository.commit();
    const [parameterName, resultsBucket] = [`/bench/small-${index}`, `${bucket}/small-${index}`];
    await beginAt({ aws }, parameterName, resultsBucket, from);
    entries.push({ gitRepo: host.url(`small-${index}`), parameterName, resultsBucket });
  }
  note("Collecting them");
  const env = {
    ...environment({ host, aws, bucket, tuning }, 0),
    REPOSITORIES: JSON.stringify(entries),
    GIT_REPO: "",
  };
  const single = { PARAMETER_NAME: "", RESULTS_BUCKET: "" };
  const way: Way = (temporary, run) =>
    run({ program: worker, args: [], env: { ...env, ...single, TMPDIR: temporary } });
  const contender = { name: "many", prepare: async () => {}, way };
  const [{ seconds } = { seconds: 0 }] = await measure([contender], join(folder, "scratch"), host, 1);
  console.log(
    `\n${number} small repositories in one run: ${seconds.toFixed(1)} s, ${(number / seconds).toFixed(1)} a second.`,
  );
}

const environment = (
  { host, aws, bucket, tuning }: Pick<Setting, "host" | "aws" | "bucket" | "tuning">,
  turn: number,
) => ({
  ...tuning,
  ...aws.environment,
  AWS_ENDPOINT_URL: aws.motoEndpoint,
  GIT_REPO: host.url("repository"),
  PARAMETER_NAME: `/bench/${turn}`,
  RESULTS_BUCKET: `${bucket}/${turn}`,
  SCHEDULED_TIME: "2026-01-02T00:00:00Z",
});

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

await main();
