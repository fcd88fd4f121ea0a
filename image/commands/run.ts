import { collect } from "../collect/collect.ts";
import { readGitVersion } from "../git/scratch-repository.ts";
import { mirror } from "../mirror/mirror.ts";
import { jsonRunReport } from "../output/json.ts";
import { runAll, type Work } from "../run/run.ts";
import type { Call } from "./call.ts";
import { openCollected } from "./collected.ts";
import { hostsFor } from "./hosts-for.ts";
import { open } from "./open.ts";
import { addToTables } from "./open-tables.ts";
import { writeLine } from "./write.ts";

/** Collects or mirrors the repositories, as each is configured. */
export async function run(call: Call): Promise<boolean> {
  const { signal } = call;
  const { repositories, storesOf, settings, identity, isGone, tables } = await open(call);
  const report = process.stdout.isTTY
    ? (await import("../output/terminal.ts")).terminalRunReport(process.stdout)
    : jsonRunReport(writeLine);
  let gitVersion: Promise<string> | undefined;
  const services = {
    hosts: hostsFor(settings),
    identity,
    gitVersion: () => (gitVersion ??= readGitVersion(signal)),
    isGone,
    rows: tables?.rows,
  };
  const collected = openCollected();
  const work: Work = async (repository, signal, onProgress) => {
    const stores = storesOf(repository, signal);
    if (repository.mirror) return mirror(repository, stores.objects, settings, services, signal, onProgress);
    const noted = tables ? collected.note(repository, stores) : stores;
    const outcome = await collect(repository, noted, settings, services, signal, onProgress);
    if (outcome.status === "collected")
      collected.completed(
        repository,
        outcome.steps.map(({ record }) => record),
      );
    return outcome;
  };
  const summary = await runAll(repositories, work, settings, services.hosts, signal, report);
  const isAdded = await addToTables(tables, collected, storesOf, report, signal);
  report.summary(summary);
  return summary.failed.length === 0 && isAdded;
}
