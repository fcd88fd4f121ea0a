import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { makeRepository } from "../test/fixtures/repository.ts";
import { beginAt, environment, note, runWorker, type Setting } from "./setting.ts";

/** Collects many small repositories of one host in one run: some that changed, and some that did not. */
export async function collectFleets(setting: Setting): Promise<void> {
  const { from, to } = await makeSmall(setting.root);
  console.log(
    "\n| repositories of one host | time | CPU, git included | memory of the worker |\n|---|---:|---:|---:|",
  );
  for (const [number, state, at] of [
    [1_000, "with a change", from],
    [1_000, "unchanged", to],
    [10_000, "unchanged", to],
  ] as const) {
    note(`Collecting ${number} small repositories, ${state}`);
    const { seconds, cpuSeconds, memoryBytes } = await collect(setting, number, at, at.slice(0, 7));
    const cells = [
      `${number.toLocaleString("en")} ${state}`,
      `${seconds.toFixed(1)} s`,
      `${cpuSeconds.toFixed(1)} s`,
    ];
    console.log(`| ${[...cells, `${(memoryBytes / 1e6).toFixed(0)} MB`].join(" | ")} |`);
  }
}

/** Collects the same number of repositories with a change, with tables and without, in turns: one turn alone says little. */
export async function compareTables(setting: Setting, number = 1_000, times = 5): Promise<void> {
  const { from } = await makeSmall(setting.root);
  const ways = { "without tables": {}, "with tables and a report": tables(setting) };
  const seconds = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let time = 0; time < times; time++) {
    for (const [name, more] of Object.entries(ways)) {
      note(`Collecting ${number} small repositories ${name}`);
      const { cpuSeconds } = await collect(setting, number, from, `${name.replace(/ .*/, "")}-${time}`, more);
      seconds.get(name)?.push(cpuSeconds);
    }
  }
  console.log(
    `\n| ${number.toLocaleString("en")} repositories with a change | CPU, git included: median | least | most |\n|---|---:|---:|---:|`,
  );
  for (const [name, all] of seconds) {
    const sorted = all.toSorted((a, b) => a - b);
    const cells = [sorted[Math.floor(times / 2)], sorted[0], sorted.at(-1)].map(
      (one) => `${one?.toFixed(1)} s`,
    );
    console.log(`| ${[name, ...cells].join(" | ")} |`);
  }
}

const tables = ({ bucket }: Setting) => ({
  TABLES_BUCKET: `${bucket}/tables`,
  PEOPLE_KEY: "a key of more than sixteen characters",
});

/** Makes the repository that they all are, with two commits. */
async function makeSmall(root: string): Promise<{ from: string; to: string }> {
  const repository = await makeRepository({ path: join(root, "small") });
  for (let file = 0; file < 20; file++) await repository.write(`file-${file}.txt`, `${file}\n`.repeat(50));
  const from = await repository.commit();
  await repository.write("file-1.txt", "changed\n");
  return { from, to: await repository.commit() };
}

async function collect(
  setting: Setting,
  number: number,
  at: string,
  turn: string,
  more: Readonly<Record<string, string>> = {},
) {
  const { aws, bucket, folder, host, root } = setting;
  const entries = [];
  const numbers: Record<string, number> = {};
  for (let index = 0; index < number; index++) {
    const name = `${turn}-${number}-${index}`;
    await symlink(join(root, "small"), join(root, name));
    const [parameterName, resultsBucket] = [`/bench/${name}`, `${bucket}/${name}`];
    await beginAt({ aws }, parameterName, resultsBucket, at);
    entries.push({ gitRepo: host.url(name), parameterName, resultsBucket });
    numbers[name] = 1;
  }
  // The tables have the steps of the day before.
  await fetch(`${aws.motoEndpoint}/${bucket}/tables/v1/_progress/${turn}.json`, {
    method: "PUT",
    body: JSON.stringify(numbers),
  });
  const { GIT_REPO: _, PARAMETER_NAME: __, RESULTS_BUCKET: ___, ...rest } = environment(setting, 0);
  const REPOSITORIES_FILE = join(folder, "repositories.json");
  await Bun.write(REPOSITORIES_FILE, JSON.stringify(entries));
  return runWorker(setting, { ...rest, ...more, COLLECTION: turn, REPOSITORIES_FILE });
}
