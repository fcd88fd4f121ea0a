import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChromium } from "../test/fixtures/chromium.ts";
import { git } from "../test/fixtures/git.ts";
import { runWorker } from "../test/fixtures/worker.ts";
import { lastCommits } from "./days.ts";

// `npm run picture`: collects this repository's own history, a step for each day, and takes the pictures of its report that the
// README shows.
const project = join(import.meta.dirname, "..");
const root = await mkdtemp(join(tmpdir(), "picture-"));
try {
  const clone = join(root, "git-diff-to-s3");
  await git(["clone", "--quiet", "--shared", project, clone]);
  const run = async (args: readonly string[], environment: Record<string, string> = {}) => {
    const { status, stdout } = await runWorker(environment, { cwd: root, args: ["local", ...args, clone] });
    if (status !== 0) throw new Error(stdout);
  };
  await run(["tables"]);
  for (const [day, commit] of await lastCommits(clone)) {
    await git(["reset", "--quiet", "--hard", commit], { cwd: clone });
    await run([], { SCHEDULED_TIME: `${day}T23:59:00Z` });
  }
  await run(["report"]);
  await using chromium = await startChromium();
  for (const scheme of ["light", "dark"] as const) {
    await chromium.open(join(root, "git-diffs/report.html"), { width: 1100, height: 1400, scheme });
    await writeFile(join(project, `docs/report-${scheme}.png`), await chromium.screenshot());
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
