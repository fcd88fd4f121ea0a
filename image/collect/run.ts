import { labelOf, type Repository } from "../config/repositories.ts";
import type { Bounds } from "../config/settings.ts";
import { isFailure, LimitError } from "../lib/errors.ts";
import type { Report } from "../output/json.ts";
import type { Stores } from "../stores/stores.ts";
import { collect } from "./collect.ts";

/** What became of a whole run. */
export interface Summary {
  readonly repositories: number;
  readonly collected: number;
  readonly unchanged: number;
  readonly empty: number;
  /** Those whose newest step another run owns. */
  readonly left: number;
  /** The repositories that failed: URL or path, and the branch where one is configured. */
  readonly failed: readonly string[];
  readonly seconds: number;
}

/** Collects the repositories side by side, `bounds.concurrency` at once; one that fails is reported and no more. */
export async function run(
  repositories: readonly Repository[],
  storesOf: (repository: Repository, signal: AbortSignal) => Stores,
  bounds: Bounds,
  signal: AbortSignal,
  report: Report,
): Promise<Summary> {
  const started = performance.now();
  const counts = { collected: 0, unchanged: 0, empty: 0, left: 0 };
  const failed: string[] = [];
  const waiting = repositories.values();
  const work = async () => {
    for (const repository of waiting) {
      const name = labelOf(repository);
      const tell = (line: string) => report.progress(name, line);
      try {
        const outcome = await withDeadline(bounds.timeoutSeconds, signal, (signal) =>
          collect(repository, storesOf(repository, signal), bounds, signal, tell),
        );
        counts[outcome.status]++;
        report.outcome(repository, outcome);
      } catch (error) {
        failed.push(name);
        report.failed(repository, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(bounds.concurrency, repositories.length) }, work));
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(3));
  return { repositories: repositories.length, ...counts, failed, seconds };
}

/** Runs `work` with a deadline, and stops whatever it left running when it is over. */
async function withDeadline<T>(
  seconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(tooLate(seconds)), seconds * 1_000);
  try {
    return await work(AbortSignal.any([outer, over.signal]));
  } catch (error) {
    // Whatever broke because it was stopped is told as the reason for the stop.
    if (!isFailure(error)) AbortSignal.any([outer, over.signal]).throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

const tooLate = (seconds: number) =>
  new LimitError(
    "deadline",
    `It took longer than REPOSITORY_TIMEOUT_SECONDS (${seconds} s).`,
    "Raise REPOSITORY_TIMEOUT_SECONDS, or look at the host.",
  );
