import { wait } from "../lib/wait.ts";

interface ServiceError {
  readonly name?: string;
  readonly $fault?: "client" | "server";
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Returns whether AWS refused a request because there were too many. */
export const isThrottling = (error: unknown): boolean => {
  const { name = "", $metadata } = error as ServiceError;
  return (
    /Throttl|TooManyUpdates|TooManyRequests|RequestLimitExceeded/.test(name) ||
    $metadata?.httpStatusCode === 429
  );
};

/** Returns whether the same request may succeed later: AWS failed, or gave no answer that could be read. */
const isTransient = (error: unknown): boolean => {
  const { $fault, $metadata } = error as ServiceError;
  const status = $metadata?.httpStatusCode;
  return (
    $fault === "server" || ($fault !== "client" && (status === undefined || status >= 500 || status === 200))
  );
};

/**
 * Sends a request up to `attempts` times, unless `isFinal` returns true for its error.
 * @throws the last error, or the signal's reason
 */
export async function withRetries<T>(
  attempts: number,
  signal: AbortSignal,
  send: () => Promise<T>,
  isFinal: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let attempt = 1, pause = 100; ; attempt++, pause = Math.min(pause * 2, 5_000)) {
    try {
      return await send();
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === attempts || isFinal(error) || !(isThrottling(error) || isTransient(error))) throw error;
    }
    // Half of it at random, so that many do not come back at the same moment.
    await wait(pause / 2 + (Math.random() * pause) / 2, signal);
  }
}
