import { type Contents, emptyTree } from "./diff.ts";
import type { Fetched } from "./fetch.ts";

/**
 * change: `to` descends from `from`. rewritten: it does not, and the diff is still the exact one between the two.
 * baseline: the first step, from the empty tree. restarted: a baseline because the last collected commit is gone.
 */
export type Kind = "change" | "rewritten" | "baseline" | "restarted";

/** One move of the cursor. */
export interface Step {
  readonly kind: Kind;
  /** A commit id, or the empty tree's. */
  readonly from: string;
  readonly to: string;
  /** Name of the diff and, but for the ending, of the step record. */
  readonly name: string;
}

/** @param at names the step, to the minute */
export function makeStep(kind: Kind, from: string | undefined, to: string, at: Date): Step {
  const start = kind === "change" || kind === "rewritten" ? (from ?? emptyTree) : emptyTree;
  const [date, hour, minute] = at.toISOString().split(/[T:]/);
  return { kind, from: start, to, name: `${date}-${hour}${minute}_${start.slice(0, 7)}-${to.slice(0, 7)}` };
}

/** The step record, stored as `_steps/<name>.json`; its format is in the README. */
export function makeRecord(
  repository: { url: string; ref: string },
  step: Step,
  fetched: Fetched,
  contents: Contents,
  facts: { gitVersion: string; workerVersion: string; scheduled: Date; started: Date; finished: Date },
) {
  return {
    schemaVersion: 1,
    repository: repository.url,
    ref: repository.ref,
    kind: step.kind,
    from: step.from,
    to: step.to,
    fromTree: fetched.fromTree,
    toTree: fetched.toTree,
    diff: contents.bytes === 0 ? null : `${step.name}.diff`,
    ...contents,
    commits: fetched.history?.commits ?? null,
    rung: fetched.rung,
    packBytes: fetched.packBytes,
    ...facts,
  };
}
