import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { makeRepository, type Repository } from "../test/fixtures/repository.ts";
import { environment, note, runWorker, type Setting } from "./setting.ts";

const megabyte = 1024 ** 2;

/** Collects baselines that are large in one way or another, and a step of a million files. */
export async function collectLargeSteps(setting: Setting): Promise<void> {
  console.log("\n| step | time | memory of the worker |\n|---|---:|---:|");
  await collect(setting, "a baseline of 1 GB", async (repository) => {
    const text = randomBytes(0.75 * megabyte)
      .toString("base64")
      .replaceAll(/.{75}/g, "$&\n");
    for (let file = 0; file < 1_000; file++) await repository.write(`file-${file}`, text);
    await repository.commit();
  });
  await collect(setting, "a pack of 400 MB", async (repository) => {
    // Lets the host build the pack as fast as it sends it.
    await repository.git("config", "core.bigFileThreshold", "1m");
    await repository.git("config", "core.compression", "0");
    for (let file = 0; file < 8; file++) await repository.write(`noise-${file}`, randomBytes(50 * megabyte));
    await repository.commit();
  });
  await collect(setting, "1,000,000 changed files", async (repository) => {
    await repository.write("file", "one\n");
    await repository.commit();
    await addFiles(repository, "before", 1_000_000);
    await addFiles(repository, "after", 1_000_000);
  });
}

/** Commits many files, or a change of each. */
async function addFiles(repository: Repository, word: string, number: number): Promise<void> {
  const head = `commit refs/heads/main\ncommitter C <c@example.com> 1717200000 +0000\ndata 5\nFiles\nfrom refs/heads/main^0\n`;
  const parts = [head];
  for (let file = 0; file < number; file++) {
    const content = `${word} ${file}\n`;
    parts.push(`M 644 inline d${file % 1_000}/f${file}\ndata ${content.length}\n${content}\n`);
  }
  await repository.gitBytes(["fast-import", "--quiet"], parts.join(""));
}

async function collect(
  setting: Setting,
  name: string,
  fill: (repository: Repository) => Promise<void>,
): Promise<void> {
  note(`Making ${name}`);
  const place = name.replaceAll(/\W+/g, "-");
  await using repository = await makeRepository({ path: join(setting.root, place) });
  await fill(repository);
  note(`Collecting ${name}`);
  const parent = name.includes("files") ? await repository.git("rev-parse", "HEAD~1") : undefined;
  if (parent) await setting.aws.putParameter(`/bench/${place}`, parent);
  const env = { ...environment(setting, place), GIT_REPO: setting.host.url(place) };
  const { seconds, memoryBytes } = await runWorker(setting, env);
  console.log(`| ${name} | ${seconds.toFixed(1)} s | ${(memoryBytes / 1e6).toFixed(0)} MB |`);
}
