import type { Repository } from "../config/repository.ts";
import type { ConfigError } from "../lib/errors.ts";
import { refEvents } from "../mirror/ref-events.ts";
import type { RunReport } from "../run/report.ts";
import type { RestoreReport } from "../run/restore-report.ts";
import type { TablesReport } from "../tables/tables-report.ts";
import { isProblem } from "../verify/finding.ts";
import type { VerifyReport } from "../verify/report.ts";
import { explain } from "./explain.ts";

type Write = (text: string) => void;

/** Reports a run as JSON lines, whose last is the summary. The format is in docs/output.md. */
export function jsonRunReport(write: Write): RunReport {
  const event = eventWriter(write);
  return {
    outcome(repository, outcome) {
      if (outcome.status === "mirrored") {
        const { storedAt } = outcome;
        for (const step of outcome.steps) {
          const { refs, lfs, lfsMissing, state: _, schemaVersion: __, repository: ___, ...facts } = step;
          event("mirrored", {
            ...nameOf(repository),
            storedAt,
            ...facts,
            refs: refs.length,
            ...(lfs && { lfs: lfs.length }),
            ...(lfsMissing && { lfsMissing: lfsMissing.length }),
          });
          for (const { event: name, ...change } of refEvents(step))
            event(name, { ...nameOf(repository), step: step.number, ...change });
        }
        return;
      }
      if (outcome.status !== "collected") {
        const { status, ...facts } = outcome;
        return event(status, { ...nameOf(repository), ...facts });
      }
      for (const { record, storedAt } of outcome.steps) {
        const { state: _, schemaVersion: __, repository: ___, ...facts } = record;
        event("collected", { ...nameOf(repository), storedAt, ...facts });
      }
    },
    failed: (repository, error) => event("failed", { ...nameOf(repository), ...explain(error), safe }),
    tablesFailed: (tables, error) => event("failed", { tables, ...explain(error), safe: safeWithoutTables }),
    reportFailed: (report, error) => event("failed", { report, ...explain(error), safe: safeWithoutReport }),
    summary: (summary) => event("summary", summary),
  };
}

/** Reports a verification as JSON lines, whose last is the summary. */
export function jsonVerifyReport(write: Write): VerifyReport {
  const event = eventWriter(write);
  return {
    progress() {},
    verified({ name, destination }, { findings, ...facts }) {
      for (const finding of findings) event("finding", { ...name, ...finding });
      const problems = findings.filter(isProblem).length;
      const counts = { holds: problems === 0, problems, notes: findings.length - problems };
      event("verified", { ...name, destination, ...counts, ...facts });
    },
    failed: ({ name }, error) => event("failed", { ...name, ...explain(error) }),
    summary: (summary) => event("summary", { ...summary, failures: summary.failed.length }),
  };
}

/** Reports a wrong configuration, as the only line. */
export const writeConfigError = (write: Write, { code, problems, remedy }: ConfigError) =>
  eventWriter(write)("failed", { code, problems, remedy });

/** Reports a restoration as JSON lines. */
export function jsonRestoreReport(write: Write): RestoreReport {
  const event = eventWriter(write);
  return {
    progress() {},
    restored: (facts) => event("restored", facts),
    pushed: (facts) => event("pushed", facts),
    failed: (facts) => event("failed", facts),
  };
}

/** Reports tables and their page as JSON lines. */
export function jsonTablesReport(write: Write): TablesReport {
  const event = eventWriter(write);
  return {
    progress() {},
    tables: (facts) => event("tables", facts),
    report: (facts) => event("report", facts),
    failed: (of, error) => event("failed", { ...of, ...explain(error) }),
  };
}

/** Reports one event of a command that has no more to tell. */
export const writeEvent = (write: Write, event: string, facts: object): void =>
  eventWriter(write)(event, facts);

const eventWriter =
  (write: Write) =>
  (event: string, facts: object): void =>
    write(`${JSON.stringify({ time: new Date().toISOString(), event, ...facts })}\n`);

/** True of every failure. */
const safe = "Everything stored is complete, and the next run continues from the cursor.";

const safeWithoutTables = "Every diff is stored, and the next run adds to the tables what they lack.";

const safeWithoutReport =
  "Every diff is stored and in the tables. The next run that adds to them makes the report again.";

/** The fields that name a repository. */
export const nameOf = ({ location, branch }: Repository) => ({
  repository: location.url,
  ...(branch && { branch }),
});
