import type { Outcome } from "../collect/collect.ts";
import type { Summary } from "../collect/run.ts";
import type { Repository } from "../config/repositories.ts";
import { type ConfigError, isFailure } from "../lib/errors.ts";

/** Tells what happens: to machines as JSON lines, to a person as a display. */
export interface Report {
  progress(repository: string, line: string): void;
  outcome(repository: Repository, outcome: Outcome): void;
  failed(repository: Repository, error: unknown): void;
  misconfigured(error: ConfigError): void;
  summary(summary: Summary): void;
}

/** One JSON object a line; the last is the summary. The format is in the README. */
export function jsonReport(write: (text: string) => void): Report {
  const line = eventLines(write);
  return {
    progress() {},
    outcome(repository, outcome) {
      if (outcome.status !== "collected") {
        const { status, ...facts } = outcome;
        return line(status, { ...nameOf(repository), ...facts });
      }
      for (const { step, place } of outcome.steps) {
        const { state: _, schemaVersion: __, repository: ___, ...facts } = step;
        line("collected", { ...nameOf(repository), place, ...facts });
      }
    },
    failed: (repository, error) => line("failed", { ...nameOf(repository), ...explain(error), safe }),
    misconfigured: (error) =>
      line("failed", { code: error.code, problems: error.problems, remedy: error.remedy }),
    summary: (summary) => line("summary", { ...summary, failures: summary.failed.length }),
  };
}

/** Writes an event as a line. */
export const eventLines =
  (write: (text: string) => void) =>
  (event: string, facts: object): void =>
    write(`${JSON.stringify({ time: new Date().toISOString(), event, ...facts })}\n`);

/** True of every failure, whatever was done before it. */
const safe = "Whatever is stored is whole, and the next run goes on from where the cursor is.";

export const nameOf = ({ location, branch }: Repository) => ({
  repository: location.url,
  ...(branch && { branch }),
});

/** A defect is told with its stack, for whoever mends it. */
export function explain(error: unknown): { code: string; message: string; remedy: string } {
  if (isFailure(error)) return { code: error.code, message: error.message, remedy: error.remedy };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: "internal",
    message,
    remedy: "This is a defect of the worker: report it with this message.",
  };
}
