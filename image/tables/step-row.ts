import type { CompleteStep } from "../chain/record.ts";
import type { Row } from "./schema.ts";

/** A step whose rows the tables have, or get. */
export interface TableStep {
  /** The repository's name. */
  readonly repository: string;
  readonly record: CompleteStep;
  /** The whole key of its diff. */
  readonly diffKey: string | null;
}

/** Which chain of steps: the one that runs continue. */
export const daily = "daily";

/** Returns the day that a step closes. A run at midnight belongs to the day before. */
export const dayOf = ({ scheduled }: CompleteStep): string =>
  new Date(Date.parse(scheduled) - 1).toISOString().slice(0, 10);

/** Returns the columns with which every row of a step begins. */
export const stepColumns = ({ repository, record }: TableStep) => ({
  repository,
  chain: daily,
  number: record.number,
  day: dayOf(record),
});

/** Makes the row of a step from its record. */
export function stepRow(step: TableStep): Row<"steps"> {
  const { record, diffKey } = step;
  return {
    ...stepColumns(step),
    scheduled_at: record.scheduled,
    kind: record.kind,
    url: record.repository,
    ref: record.ref,
    from_commit: record.from,
    to_commit: record.to,
    from_tree: record.fromTree,
    to_tree: record.toTree,
    commits: record.commits,
    files: record.files,
    binary_files: record.binaryFiles,
    lines_added: record.linesAdded,
    lines_removed: record.linesRemoved,
    diff_key: diffKey,
    diff_bytes: record.bytes,
    diff_sha256: record.sha256,
    strategy: record.strategy,
    pack_bytes: record.packBytes,
    git_version: record.gitVersion,
    worker_version: record.workerVersion,
    started_at: record.started,
    finished_at: record.finished,
  };
}
