import { GitError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import { printable } from "../lib/printable.ts";
import { cutOff } from "./answer-error.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is read as fast as it is sent. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Streams the body, unpacked. @throws GitError where it breaks off or stalls */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the answer without reading the rest of its body. */
  cancel(): void;
}

/** How long a host may be silent, before and within an answer. */
const stallMilliseconds = 120_000;

/**
 * Sends one request and returns the answer, whatever its status. Redirects are not followed. Bun's `fetch` keeps
 * connections open for later requests, and uses HTTPS_PROXY and NO_PROXY.
 * @param authorities certificates in PEM to trust instead of the usual ones
 * @throws GitError, or the signal's reason
 */
export async function sendRequest(
  { method, url, headers, body }: HttpRequest,
  signal: AbortSignal,
  authorities?: string,
): Promise<HttpAnswer> {
  const stalled = new AbortController();
  const either = AbortSignal.any([signal, stalled.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(), stallMilliseconds);
  };
  const isWhole = body === undefined || body instanceof Uint8Array;
  async function* sent(source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      watch();
      yield chunk;
    }
  }
  const send = () =>
    fetch(url, {
      method,
      headers,
      redirect: "manual",
      signal: either,
      ...(body && { body: isWhole ? body : sent(body) }),
      ...(authorities && { tls: { ca: authorities } }),
    });
  const fail = (error: unknown): never => {
    signal.throwIfAborted();
    throw stalled.signal.aborted ? stall() : connectionError(error as Error & { code?: string });
  };
  const release = () => clearTimeout(timer);
  watch();
  let response: Response;
  try {
    // A kept connection may be closed by the host at the very moment of the request. A request may come twice: none
    // changes anything there, but for a push, which names the old values of the refs.
    response = await send().catch((error) =>
      error.code === "ECONNRESET" && isWhole ? send() : Promise.reject(error),
    );
  } catch (error) {
    release();
    return fail(error);
  }
  const { status, headers: fields, body: source } = response;
  async function* stream() {
    try {
      for await (const chunk of letTimersRun((source ?? []) as AsyncIterable<Uint8Array>)) {
        clearTimeout(timer);
        yield chunk;
        watch();
      }
    } catch (error) {
      fail(error);
    } finally {
      release();
    }
  }
  const cancel = () => {
    release();
    source?.cancel().catch(() => {});
  };
  return { status, headers: fields, body: stream(), cancel };
}

const stall = () =>
  new GitError(
    "git-cut-off",
    `The host sent nothing for ${stallMilliseconds / 1_000} s.`,
    "The next run tries again. If it happens again, check the host and the network.",
  );

/** Returns the error for a connection that failed. The codes are those of Bun's `fetch`. */
function connectionError(error: Error & { code?: string }): GitError {
  const code = error.code ?? error.name;
  if (/^(ECONNRESET|EPIPE|ERR_STREAM|Z_|ERR_CONTENT)/.test(code)) return cutOff(error);
  const cause = { cause: error };
  const reason = `${code}: ${printable(error.message).slice(0, 300)}`;
  if (/^ERR_PROXY/.test(code)) {
    const remedy = "Check HTTPS_PROXY and NO_PROXY.";
    return new GitError("git-unreachable", `The proxy refused the request (${reason}).`, remedy, cause);
  }
  if (/^(EPROTO|ERR_TLS|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_SSL|HOSTNAME)/.test(code)) {
    const remedy = "Check the certificate. For a private authority, set GIT_SSL_CAINFO to its certificates.";
    return new GitError("git-unreachable", `TLS to the host failed (${reason}).`, remedy, cause);
  }
  const remedy = "Check the URL, the network and the proxy.";
  return new GitError("git-unreachable", `The host could not be reached (${reason}).`, remedy, cause);
}
