import { labelOf, type Repository } from "../config/repositories.ts";
import type { Bounds } from "../config/settings.ts";
import type { Stores } from "../stores/stores.ts";
import { type Inspection, inspect } from "./verify.ts";

/** What became of a whole `verify`. */
export interface Verdict {
  readonly repositories: number;
  /** Those whose chain holds. */
  readonly verified: number;
  readonly problems: number;
  readonly notes: number;
  /** URLs of the repositories whose chain does not hold, or could not be read. */
  readonly failed: readonly string[];
  readonly seconds: number;
}

/** Tells what `verify` finds. */
export interface VerifyReport {
  progress(repository: string, line: string): void;
  inspected(repository: Repository, inspection: Inspection): void;
  failed(repository: Repository, error: unknown): void;
  summary(verdict: Verdict): void;
}

/** Verifies one repository after the other: each asks for many objects at once as it is. */
export async function verify(
  repositories: readonly Repository[],
  storesOf: (repository: Repository, signal: AbortSignal) => Stores,
  bounds: Bounds,
  options: { readonly replay: boolean; readonly signal: AbortSignal },
  report: VerifyReport,
): Promise<Verdict> {
  const started = performance.now();
  const counts = { verified: 0, problems: 0, notes: 0 };
  const failed: string[] = [];
  for (const repository of repositories) {
    const name = labelOf(repository);
    try {
      const inspection = await inspect(storesOf(repository, options.signal), {
        ...options,
        cursor: repository.cursor,
        leaseMilliseconds: bounds.leaseSeconds * 1_000,
        onProgress: (line) => report.progress(name, line),
      });
      const problems = inspection.findings.filter(({ level }) => level === "problem").length;
      counts.problems += problems;
      counts.notes += inspection.findings.length - problems;
      if (problems === 0) counts.verified++;
      else failed.push(name);
      report.inspected(repository, inspection);
    } catch (error) {
      failed.push(name);
      report.failed(repository, error);
    }
  }
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(3));
  return { repositories: repositories.length, ...counts, failed, seconds };
}
