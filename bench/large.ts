import { join } from "node:path";
import { commitManyFiles, commitNoise, commitThousandFiles } from "../test/fixtures/large-commits.ts";
import { makeRepository, type Repository } from "../test/fixtures/repository.ts";
import { environment, note, runWorker, type Setting } from "./setting.ts";

/** Collects baselines that are large in one way or another, and a step of a million files. */
export async function collectLargeSteps(setting: Setting): Promise<void> {
  console.log("\n| step | time | memory of the worker |\n|---|---:|---:|");
  await collect(setting, "a baseline of 1 GB", commitThousandFiles);
  await collect(setting, "a pack of 400 MB", commitNoise);
  await collect(setting, "1,000,000 changed files", async (repository) => {
    await repository.write("file", "one\n");
    await repository.commit();
    await commitManyFiles(repository, "before", 1_000_000);
    const from = await repository.head();
    await commitManyFiles(repository, "after", 1_000_000);
    return from;
  });
}

/** @param fill makes the commits, and returns where the cursor is; nothing for a baseline */
async function collect(
  setting: Setting,
  name: string,
  fill: (repository: Repository) => Promise<unknown>,
): Promise<void> {
  note(`Making ${name}`);
  const place = name.replaceAll(/\W+/g, "-");
  await using repository = await makeRepository({ path: join(setting.root, place) });
  const from = await fill(repository);
  if (typeof from === "string") await setting.aws.putParameter(`/bench/${place}`, from);
  note(`Collecting ${name}`);
  const env = { ...environment(setting, place), GIT_REPO: setting.host.url(place) };
  const { seconds, memoryBytes } = await runWorker(setting, env);
  console.log(`| ${name} | ${seconds.toFixed(1)} s | ${(memoryBytes / 1e6).toFixed(0)} MB |`);
}
