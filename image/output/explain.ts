import { isFailure } from "../lib/errors.ts";

export interface Explanation {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Explains an error to the person who must act. A defect comes with its stack, for the person who fixes it. */
export function explain(error: unknown): Explanation {
  if (isFailure(error)) return { code: error.code, message: error.message, remedy: error.remedy };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: "internal",
    message,
    remedy: "This is a defect of the worker: report it with this message.",
  };
}
