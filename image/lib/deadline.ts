import { isFailure, LimitError } from "./errors.ts";

/** Runs `work` with a deadline, and stops everything that it left running at its end. */
export async function withDeadline<T>(
  seconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(deadlineError(seconds)), seconds * 1_000);
  const signal = AbortSignal.any([outer, deadline.signal]);
  try {
    return await work(signal);
  } catch (error) {
    // An error that the stop itself caused is reported as the reason of the stop.
    if (!isFailure(error)) signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    deadline.abort();
  }
}

const deadlineError = (seconds: number) =>
  new LimitError(
    "deadline",
    `The repository took longer than REPOSITORY_TIMEOUT_SECONDS (${seconds} s).`,
    "Raise REPOSITORY_TIMEOUT_SECONDS, or check the host.",
  );
