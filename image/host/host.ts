import { GitError } from "../lib/errors.ts";
import { wait } from "../lib/wait.ts";
import { type HttpAnswer, type HttpRequest, sendRequest } from "./http.ts";
import { retryAfter } from "./retry-after.ts";
import { openSlots } from "./slots.ts";

/** Thrown where a host has asked for a pause. The repository starts again once the pause is over. */
export class HostPaused extends Error {
  constructor(readonly until: number) {
    super(`The host has asked for a pause until ${new Date(until).toISOString()}.`);
  }
}

export interface HostLimits {
  /** The number of requests at a time. */
  readonly concurrency: number;
  readonly requestsPerSecond: number | undefined;
  /** A host that asks for a longer pause is left. */
  readonly longestPauseSeconds: number;
}

/** One origin, and what it has made known: how many requests it gets, when it may be asked again, whom it denies. */
export interface Host {
  readonly origin: string;
  /** Until when the host has asked not to be asked, in milliseconds since 1970; 0 for no pause. */
  pausedUntil(): number;
  /**
   * Sends a request when its turn comes, and returns the answer unless its status asks for a pause.
   * @param credential identifies the credentials in the request
   * @throws GitError, HostPaused, or the signal's reason
   */
  request(request: HttpRequest, credential: string | undefined, signal: AbortSignal): Promise<HttpAnswer>;
}

const pausesInRow = 3;
const denialsInRow = 5;
const firstPauseMilliseconds = 60_000;

export function openHost(origin: string, limits: HostLimits, authorities: string | undefined): Host {
  const slots = openSlots(limits.concurrency);
  const interval = limits.requestsPerSecond === undefined ? 0 : 1_000 / limits.requestsPerSecond;
  const denials = new Map<string, number>();
  let nextStart = 0;
  let pausedUntil = 0;
  let pauses = 0;

  const check = (credential: string | undefined) => {
    if (pauses > pausesInRow) throw busy(origin);
    if (pausedUntil > Date.now()) throw new HostPaused(pausedUntil);
    if (credential !== undefined && (denials.get(credential) ?? 0) >= denialsInRow) throw denied(origin);
  };
  /** Notes a pause. Requests that were under way when the pause began belong to it. */
  const pause = (headers: Headers, started: number): never => {
    const now = Date.now();
    const asked = retryAfter(headers.get("retry-after"), now);
    if (started >= pausedUntil) pauses++;
    if (asked !== undefined && asked > limits.longestPauseSeconds * 1_000) pauses = pausesInRow + 1;
    if (pauses > pausesInRow) throw busy(origin);
    const pause = asked ?? firstPauseMilliseconds * 2 ** (pauses - 1);
    // Up to a quarter more, so that many workers do not come back at the same moment.
    pausedUntil = Math.max(pausedUntil, now + pause * (1 + Math.random() / 4));
    throw new HostPaused(pausedUntil);
  };
  const waitForTurn = async (signal: AbortSignal) => {
    const start = Math.max(nextStart, Date.now());
    nextStart = start + interval;
    if (start > Date.now()) await wait(start - Date.now(), signal);
  };

  return {
    origin,
    pausedUntil: () => (pauses > pausesInRow ? 0 : pausedUntil),
    async request(request, credential, signal) {
      check(credential);
      const release = await slots.take(signal);
      try {
        if (interval > 0) await waitForTurn(signal);
        check(credential);
        const started = Date.now();
        const answer = await sendRequest(request, signal, authorities);
        const { status, headers } = answer;
        // GitHub's secondary limits come as 403 too.
        if (status === 429 || status === 503 || (status === 403 && headers.has("retry-after"))) {
          answer.cancel();
          pause(headers, started);
        }
        pauses = 0;
        if (credential !== undefined) {
          const isDenied = status === 401 || status === 403;
          denials.set(credential, isDenied ? (denials.get(credential) ?? 0) + 1 : 0);
        }
        return {
          ...answer,
          body: releasing(answer.body, release),
          cancel() {
            answer.cancel();
            release();
          },
        };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/** Streams a body, and frees the request's slot at its end. */
async function* releasing(body: AsyncIterable<Uint8Array>, release: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    release();
  }
}

const busy = (origin: string) =>
  new GitError(
    "host-busy",
    `${origin} refused requests as too many, again after ${pausesInRow} pauses or for too long a time.`,
    "The next run tries again. Lower HOST_CONCURRENCY, set HOST_REQUESTS_PER_SECOND, or spread the schedules.",
  );

const denied = (origin: string) =>
  new GitError(
    "git-denied",
    `${origin} denied access ${denialsInRow} times in a row with these credentials, so they are not tried any more.`,
    "Check the credentials, and their permission to read the repositories of this host.",
  );
