import { labelOf, type Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { HostPaused } from "../host/host.ts";
import { withDeadline } from "../lib/deadline.ts";
import { settleAll } from "../lib/settle.ts";
import type { Stores } from "../stores/stores.ts";
import { collect, type Services } from "./collect.ts";
import type { Outcome } from "./outcome.ts";
import { openQueue } from "./queue.ts";
import type { CollectReport, Summary } from "./report.ts";

/** A summary must not grow with the number of repositories. */
const namedFailures = 100;

/** Collects many repositories, `settings.concurrency` at a time. A failure of one is reported, and stops no other. */
export async function collectAll(
  repositories: readonly Repository[],
  storesOf: (repository: Repository, signal: AbortSignal) => Stores,
  settings: Settings,
  services: Services,
  signal: AbortSignal,
  report: CollectReport,
): Promise<Summary> {
  const started = performance.now();
  const counts = { collected: 0, unchanged: 0, empty: 0, locked: 0, failures: 0 };
  const failed: string[] = [];
  const { hosts } = services;
  const queue = openQueue(
    repositories,
    ({ location }) => hosts.of(location).origin,
    // A run that is stopped waits for no host: what is left fails at once.
    ({ location, credentials }) => (signal.aborted ? 0 : hosts.pausedUntil(location, credentials)),
  );
  const work = async (repository: Repository): Promise<Outcome> => {
    const { progress } = report;
    const onProgress = progress && ((line: string) => progress(labelOf(repository), line));
    return withDeadline(settings.timeoutSeconds, signal, (signal) =>
      collect(repository, storesOf(repository, signal), settings, services, signal, onProgress),
    );
  };
  const worker = async () => {
    for (let repository = await queue.take(signal); repository; repository = await queue.take(signal)) {
      try {
        const outcome = await work(repository);
        counts[outcome.status]++;
        report.outcome(repository, outcome);
      } catch (error) {
        // The repository starts again after the pause, and holds no place meanwhile.
        if (error instanceof HostPaused) {
          queue.putBack(repository);
          continue;
        }
        counts.failures++;
        if (failed.length < namedFailures) failed.push(labelOf(repository));
        report.failed(repository, error);
      }
      queue.finish();
    }
  };
  const workers = Math.min(settings.concurrency, repositories.length);
  await settleAll(...Array.from({ length: workers }, worker));
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(3));
  return { repositories: repositories.length, ...counts, failed, seconds };
}
