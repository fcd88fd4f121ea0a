import { labelOf, type Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { HostPaused } from "../host/host.ts";
import type { Hosts } from "../host/hosts.ts";
import { withDeadline } from "../lib/deadline.ts";
import { settleAll } from "../lib/settle.ts";
import { openQueue } from "./queue.ts";
import type { Result, RunReport, Summary } from "./report.ts";

type Shown = Omit<Summary, "repositories" | "failed" | "seconds">;
type Counts = { -readonly [Key in keyof Shown]: Shown[Key] };

/** A summary must not grow with the number of repositories. */
const namedFailures = 100;

/** Collects or mirrors one repository. */
export type Work = (
  repository: Repository,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
) => Promise<Result>;

/** Works on many repositories, `settings.concurrency` at a time. A failure of one is reported, and stops no other. */
export async function runAll(
  repositories: readonly Repository[],
  work: Work,
  settings: Settings,
  hosts: Hosts,
  signal: AbortSignal,
  report: RunReport,
): Promise<Summary> {
  const started = performance.now();
  // The outcomes that are possible are counted from 0.
  const done = new Set(repositories.map(({ mirror }) => (mirror ? "mirrored" : "collected")));
  const counts: Counts = {
    ...Object.fromEntries([...done].map((status) => [status, 0])),
    ...{ unchanged: 0, empty: 0, locked: 0, failures: 0 },
  };
  const failed: string[] = [];
  const queue = openQueue(
    repositories,
    ({ location }) => hosts.of(location).origin,
    // A run that is stopped waits for no host: what is left fails at once.
    ({ location, credentials }) => (signal.aborted ? 0 : hosts.pausedUntil(location, credentials)),
  );
  const workOn = async (repository: Repository): Promise<Result> => {
    const { progress } = report;
    const onProgress = progress && ((line: string) => progress(labelOf(repository), line));
    return withDeadline(settings.timeoutSeconds, signal, (signal) => work(repository, signal, onProgress));
  };
  const worker = async () => {
    for (let repository = await queue.take(signal); repository; repository = await queue.take(signal)) {
      try {
        const outcome = await workOn(repository);
        report.outcome(repository, outcome);
        if ("failure" in outcome && outcome.failure) throw outcome.failure;
        counts[outcome.status] = (counts[outcome.status] ?? 0) + 1;
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
