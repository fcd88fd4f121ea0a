import { existsSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { git } from "../test/fixtures/git.ts";
import { compareWays } from "./compare.ts";
import { collectFleets, compareTables } from "./fleet.ts";
import { collectLargeSteps } from "./large.ts";
import { compareMirrors } from "./mirror.ts";
import { compareRows } from "./rows.ts";
import { note, openSetting } from "./setting.ts";

const usage = `Usage: npm run bench -- [--repo PATH-OR-URL] [--days N] [--mirror | --rows]

Serves the repository over smart HTTP on loopback, takes the commits of its newest N days (default: 1) and collects
them in three ways: the obvious one (clone everything, git diff to a file, upload it), this worker, and the floor (the
bare git commands of the worker's best way, ls-remote, fetch and diff, with nothing around them). Prints them side by side, and as ratios.
Then it mirrors the repository, beside two ways to do so with git and the AWS command line, and mirror-git-to-s3 from PyPI
where the repository is small; with --mirror, that alone.
Then it collects many small repositories in one run, and steps that are large in one way or another. This takes a quarter of an hour.
With --rows, it does nothing of this, but compares the rows of files in these days, one by one, with what git diff --raw --numstat says.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      repo: { type: "string" },
      days: { type: "string", default: "1" },
      mirror: { type: "boolean" },
      rows: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const setting = await openSetting();
  try {
    if (values.repo) {
      const path = await place(values.repo, setting.root);
      if (values.rows) return await compareRows(path, Number(values.days));
      if (!values.mirror) await compareWays(setting, path, Number(values.days));
      await compareMirrors(setting, path, Number(values.days));
    }
    if (values.mirror) return;
    await collectFleets(setting);
    await compareTables(setting);
    await collectLargeSteps(setting);
  } finally {
    await setting.close();
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

await main();
