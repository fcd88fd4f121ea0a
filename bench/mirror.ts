import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AwsCall } from "../test/fixtures/aws-call.ts";
import { git, hermetic } from "../test/fixtures/git.ts";
import { type Contender, type Measure, measure, type Way } from "./measure.ts";
import { openMirrorGitToS3 } from "./mirror-git-to-s3.ts";
import { environment, note, type Setting } from "./setting.ts";

/**
 * Mirrors a repository as it was some days ago, and then what has changed since, by this worker and by its peers: a clone
 * that is packed and uploaded each time, a clone that is kept and synchronised, mirror-git-to-s3. Prints them side by side.
 */
export async function compareMirrors(setting: Setting, path: string, days: number): Promise<void> {
  const { folder, root, host, aws } = setting;
  const ask = async (...args: string[]) => (await git(args, { cwd: path })).toString().trim();
  const to = await ask("rev-parse", "HEAD");
  const since = Number(await ask("show", "-s", "--format=%ct", to)) - days * 86_400;
  const from = await ask("rev-list", "--first-parent", "--max-count=1", `--before=${since}`, to);

  // The tags and one branch, which moves. The objects are the repository's.
  const hosted = join(root, "mirrored.git");
  await git(["init", "--quiet", "--bare", hosted]);
  await writeFile(
    join(hosted, "objects/info/alternates"),
    `${await ask("rev-parse", "--absolute-git-dir")}/objects\n`,
  );
  const tags = await ask(
    "for-each-ref",
    `--merged=${from}`,
    "--format=create %(refname) %(objectname)",
    "refs/tags",
  );
  const input = [`create refs/heads/main ${from}`, ...tags.split("\n").filter(Boolean), ""].join("\n");
  await git(["update-ref", "--stdin"], { cwd: hosted, input });
  await git(["symbolic-ref", "HEAD", "refs/heads/main"], { cwd: hosted });

  const bucket = await aws.createBucket();
  const kept = join(folder, "kept.git");
  const url = host.url("mirrored");
  const objects = Number(
    (await git(["rev-list", "--objects", "--count", to, "--tags"], { cwd: hosted })).toString(),
  );
  const objectByObject = await openMirrorGitToS3(setting, bucket, url, objects);
  const prepare = async () => {};
  const contenders: Contender[] = [
    { name: "clone, tar, upload", prepare, way: cloneAndUpload(setting, bucket, url) },
    {
      name: "a kept clone, synchronised",
      prepare,
      way: keepAndSync(setting, bucket, url, kept),
      keeps: kept,
    },
    ...(typeof objectByObject === "string"
      ? []
      : [{ name: "mirror-git-to-s3", prepare, way: objectByObject }]),
    { name: "this worker", prepare, way: mirror(setting, bucket, url) },
  ];
  for (const what of ["first", "nothing new", `${days} days`]) {
    if (what === `${days} days`) await git(["update-ref", "refs/heads/main", to], { cwd: hosted });
    note(`Mirroring by the worker and its peers: ${what}`);
    const rows: Row[] = [];
    for (const contender of contenders) {
      aws.calls.length = 0;
      const [row] = await measure([contender], join(folder, "scratch"), host, 1);
      if (row) rows.push({ ...row, requests: aws.calls.length, sentBytes: sentBytes(aws.calls) });
    }
    print(what, rows);
  }
  if (typeof objectByObject === "string") console.log(`\n${objectByObject}`);
  await rm(kept, { recursive: true, force: true });
}

function mirror(setting: Setting, bucket: string, gitRepo: string): Way {
  const entry = {
    gitRepo,
    parameterName: "/bench/mirror",
    resultsBucket: `${bucket}/ours`,
    collect: ["mirror"],
  };
  const { GIT_REPO: _, PARAMETER_NAME: __, RESULTS_BUCKET: ___, ...env } = environment(setting, "mirror");
  return async (folder, run) => {
    const more = {
      AWS_ENDPOINT_URL: setting.aws.endpoint,
      REPOSITORIES: JSON.stringify([entry]),
      TMPDIR: folder,
    };
    await run({ program: setting.worker, args: [], env: { ...env, ...more } });
  };
}

const cloneAndUpload =
  ({ aws }: Setting, bucket: string, url: string): Way =>
  async (folder, run) => {
    const [clone, tar] = [join(folder, "clone.git"), join(folder, "clone.tar")];
    await run({ program: "git", args: ["clone", "--quiet", "--mirror", url, clone], env: hermetic() });
    await run({ program: "tar", args: ["-cf", tar, "-C", folder, "clone.git"] });
    await run(awsCli(aws, "s3", "cp", "--no-progress", tar, `s3://${bucket}/tar/clone.tar`));
  };

const keepAndSync =
  ({ aws }: Setting, bucket: string, url: string, kept: string): Way =>
  async (_, run) => {
    const isThere = await Bun.file(join(kept, "HEAD")).exists();
    await mkdir(kept, { recursive: true });
    const update = isThere
      ? ["-C", kept, "remote", "update", "--prune"]
      : ["clone", "--quiet", "--mirror", url, kept];
    await run({ program: "git", args: update, env: hermetic() });
    await run(awsCli(aws, "s3", "sync", "--no-progress", kept, `s3://${bucket}/kept`));
  };

const awsCli = ({ environment, endpoint }: Setting["aws"], ...args: string[]) => ({
  program: "aws",
  args,
  env: { ...environment, AWS_ENDPOINT_URL: endpoint },
});

interface Row extends Measure {
  /** Those to S3, and the bytes of their bodies. */
  readonly requests: number;
  readonly sentBytes: number;
}

const sentBytes = (calls: readonly AwsCall[]): number =>
  calls.reduce(
    (sum, { headers }) =>
      sum + Number(headers["x-amz-decoded-content-length"] ?? headers["content-length"] ?? 0),
    0,
  );

function print(what: string, rows: readonly Row[]): void {
  const mega = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
  console.log(
    `\n| ${what} | time | from the host | requests to S3 | to S3 | disk | memory |\n|---|---:|---:|---:|---:|---:|---:|`,
  );
  for (const { name, seconds, wireBytes, requests, sentBytes, diskBytes, memoryBytes } of rows) {
    const cells = [
      name,
      `${seconds.toFixed(2)} s`,
      mega(wireBytes),
      requests,
      mega(sentBytes),
      mega(diskBytes),
      mega(memoryBytes),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
