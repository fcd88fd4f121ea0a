import packageFile from "../../package.json" with { type: "json" };
import type { ClaimedStep, CompleteStep, StepFacts, StepKind } from "../chain/record.ts";
import type { Context } from "./context.ts";

/** What a run learns of a step while it performs it. */
export type StepResult = Omit<StepFacts, "gitVersion" | "workerVersion" | "started" | "finished"> & {
  readonly kind?: StepKind;
};

/** The facts that only a fetch shows. */
export const notFetched = {
  commits: null,
  fromTree: null,
  toTree: null,
  replayTree: null,
  strategy: null,
  packBytes: null,
};

/** The result of a step that ends where it begins. */
export const noChange: StepResult = {
  ...notFetched,
  bytes: 0,
  sha256: null,
  files: 0,
  binaryFiles: 0,
  linesAdded: 0,
  linesRemoved: 0,
  commits: 0,
};

/** Returns the complete record of a claimed step. */
export async function completeRecord(
  { steps }: Context,
  claimed: ClaimedStep,
  result: StepResult,
): Promise<CompleteStep> {
  return {
    ...claimed,
    ...result,
    diff: result.bytes === 0 ? null : claimed.diff,
    state: "complete",
    gitVersion: await steps.gitVersion(),
    workerVersion: packageFile.version,
    started: claimed.claimed,
    finished: new Date().toISOString(),
  };
}
