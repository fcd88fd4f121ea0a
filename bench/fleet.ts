import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { makeRepository } from "../test/fixtures/repository.ts";
import { beginAt, environment, note, runWorker, type Setting } from "./setting.ts";

/** Collects many small repositories of one host in one run: some that changed, and some that did not. */
export async function collectFleets(setting: Setting): Promise<void> {
  const repository = await makeRepository({ path: join(setting.root, "small") });
  for (let file = 0; file < 20; file++) await repository.write(`file-${file}.txt`, `${file}\n`.repeat(50));
  const from = await repository.commit();
  await repository.write("file-1.txt", "changed\n");
  const to = await repository.commit();
  console.log(
    "\n| repositories of one host | time | CPU, git included | memory of the worker |\n|---|---:|---:|---:|",
  );
  for (const [number, state, at] of [
    [1_000, "with a change", from],
    [1_000, "unchanged", to],
    [10_000, "unchanged", to],
  ] as const) {
    note(`Collecting ${number} small repositories, ${state}`);
    const { seconds, cpuSeconds, memoryBytes } = await collect(setting, number, at);
    const cells = [
      `${number.toLocaleString("en")} ${state}`,
      `${seconds.toFixed(1)} s`,
      `${cpuSeconds.toFixed(1)} s`,
    ];
    console.log(`| ${[...cells, `${(memoryBytes / 1e6).toFixed(0)} MB`].join(" | ")} |`);
  }
}

async function collect(setting: Setting, number: number, at: string) {
  const { aws, bucket, folder, host, root } = setting;
  const entries = [];
  for (let index = 0; index < number; index++) {
    const name = `${at.slice(0, 7)}-${number}-${index}`;
    await symlink(join(root, "small"), join(root, name));
    const [parameterName, resultsBucket] = [`/bench/${name}`, `${bucket}/${name}`];
    await beginAt({ aws }, parameterName, resultsBucket, at);
    entries.push({ gitRepo: host.url(name), parameterName, resultsBucket });
  }
  const { GIT_REPO: _, PARAMETER_NAME: __, RESULTS_BUCKET: ___, ...rest } = environment(setting, 0);
  const REPOSITORIES_FILE = join(folder, "repositories.json");
  await Bun.write(REPOSITORIES_FILE, JSON.stringify(entries));
  return runWorker(setting, { ...rest, REPOSITORIES_FILE });
}
