import { labelOf, type Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Stores } from "../stores/stores.ts";
import { isProblem } from "./finding.ts";
import type { VerifyReport, VerifySummary } from "./report.ts";
import { verify } from "./verify.ts";

/** Verifies one repository after the other: each reads many objects at a time already. */
export async function verifyAll(
  repositories: readonly Repository[],
  storesOf: (repository: Repository, signal: AbortSignal) => Stores,
  settings: Settings,
  options: { readonly replay: boolean; readonly signal: AbortSignal },
  report: VerifyReport,
): Promise<VerifySummary> {
  const started = performance.now();
  const counts = { verified: 0, problems: 0, notes: 0 };
  const failed: string[] = [];
  for (const repository of repositories) {
    const label = labelOf(repository);
    try {
      const verification = await withDeadline(settings.timeoutSeconds, options.signal, (signal) =>
        verify(storesOf(repository, signal), {
          ...options,
          signal,
          cursorName: repository.cursor,
          leaseMilliseconds: settings.leaseSeconds * 1_000,
          onProgress: (line) => report.progress(label, line),
        }),
      );
      const problems = verification.findings.filter(isProblem).length;
      counts.problems += problems;
      counts.notes += verification.findings.length - problems;
      if (problems === 0) counts.verified++;
      else failed.push(label);
      report.verified(repository, verification);
    } catch (error) {
      failed.push(label);
      report.failed(repository, error);
    }
  }
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(3));
  return { repositories: repositories.length, ...counts, failed, seconds };
}
