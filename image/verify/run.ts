import type { Settings } from "../config/settings.ts";
import { withDeadline } from "../lib/deadline.ts";
import { isProblem } from "./finding.ts";
import type { Subject, Verification, VerifyReport, VerifySummary } from "./report.ts";

/** Something to verify, and how. */
export interface Verifiable extends Subject {
  /** @throws StoreError, CursorError, LimitError */
  verify(signal: AbortSignal, onProgress: (line: string) => void): Promise<Verification>;
}

/** Verifies one subject after the other: each reads many objects at a time already. */
export async function verifyAll(
  subjects: readonly Verifiable[],
  settings: Pick<Settings, "timeoutSeconds">,
  signal: AbortSignal,
  report: VerifyReport,
): Promise<VerifySummary> {
  const started = performance.now();
  const counts = { verified: 0, problems: 0, notes: 0 };
  const failed: string[] = [];
  for (const subject of subjects) {
    const { label } = subject;
    try {
      const verification = await withDeadline(settings.timeoutSeconds, signal, (signal) =>
        subject.verify(signal, (line) => report.progress(label, line)),
      );
      const problems = verification.findings.filter(isProblem).length;
      counts.problems += problems;
      counts.notes += verification.findings.length - problems;
      if (problems === 0) counts.verified++;
      else failed.push(label);
      report.verified(subject, verification);
    } catch (error) {
      failed.push(label);
      report.failed(subject, error);
    }
  }
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(3));
  return { repositories: subjects.length, ...counts, failed, seconds };
}
