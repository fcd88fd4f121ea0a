import { labelOf, type Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { isFailure, LimitError } from "../lib/errors.ts";
import { inParallel } from "../lib/parallel.ts";
import type { Stores } from "../stores/stores.ts";
import { collect } from "./collect.ts";
import type { CollectReport, Summary } from "./report.ts";

/** Collects many repositories, `settings.concurrency` at a time. A failure of one is reported, and stops no other. */
export async function collectAll(
  repositories: readonly Repository[],
  storesOf: (repository: Repository, signal: AbortSignal) => Stores,
  settings: Settings,
  signal: AbortSignal,
  report: CollectReport,
): Promise<Summary> {
  const started = performance.now();
  const counts = { collected: 0, unchanged: 0, empty: 0, locked: 0 };
  const failed: string[] = [];
  await inParallel(repositories, settings.concurrency, async (repository) => {
    const label = labelOf(repository);
    const onProgress = (line: string) => report.progress(label, line);
    try {
      const outcome = await withDeadline(settings.timeoutSeconds, signal, (signal) =>
        collect(repository, storesOf(repository, signal), settings, signal, onProgress),
      );
      counts[outcome.status]++;
      report.outcome(repository, outcome);
    } catch (error) {
      failed.push(label);
      report.failed(repository, error);
    }
  });
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(3));
  return { repositories: repositories.length, ...counts, failed, seconds };
}

/** Runs `work` with a deadline, and stops everything that it left running at its end. */
async function withDeadline<T>(
  seconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(deadlineError(seconds)), seconds * 1_000);
  const signal = AbortSignal.any([outer, deadline.signal]);
  try {
    return await work(signal);
  } catch (error) {
    // An error that the stop itself caused is reported as the reason of the stop.
    if (!isFailure(error)) signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    deadline.abort();
  }
}

const deadlineError = (seconds: number) =>
  new LimitError(
    "deadline",
    `The repository took longer than REPOSITORY_TIMEOUT_SECONDS (${seconds} s).`,
    "Raise REPOSITORY_TIMEOUT_SECONDS, or check the host.",
  );
