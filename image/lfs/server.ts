import { type Configured, currentCredentials, isApp, type SignIn } from "../host/credentials.ts";
import type { Host } from "../host/host.ts";
import type { HttpAnswer, HttpRequest } from "../host/http.ts";
import { basic } from "../host/http-transport.ts";
import { isLoopback, type Location } from "../host/location.ts";
import { redactor } from "../host/redact.ts";
import { agent } from "../host/transport.ts";
import { waitOutPauses } from "../host/wait-out-pauses.ts";
import { lacking } from "./lacking.ts";

/** Where a server has the content of a large file, or takes it. */
export interface Offer {
  readonly href: string;
  /** The headers that go to the URL's own host. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether these are all that the request needs. Otherwise the repository's credentials belong to it, on its own host. */
  readonly isAuthenticated: boolean;
  /** Until when the offer holds, in milliseconds since 1970; Infinity where the server does not say. */
  readonly expires: number;
}

/** The LFS server of a repository. */
export interface LfsServer {
  /** Sends a request of the API, with the repository's credentials. @throws GitError, or the signal's reason */
  post(path: string, headers: Headers, body: Uint8Array, signal: AbortSignal): Promise<HttpAnswer>;
  /** Asks for the content that it offers, on whatever host that is. @throws GitError, or the signal's reason */
  get(offer: Offer, signal: AbortSignal): Promise<HttpAnswer>;
  /** Sends to where it offers. Redirects are not followed. @throws GitError, or the signal's reason */
  send(
    offer: Offer,
    request: Pick<HttpRequest, "method" | "body"> & { readonly headers: Headers },
    signal: AbortSignal,
  ): Promise<HttpAnswer>;
  /** Removes the credentials that were sent from a text of the server, which may repeat them. */
  redact(text: string): string;
}

type Headers = Readonly<Record<string, string>>;

const redirectsFollowed = 5;
/** The repository holds its place meanwhile. What is left after that is for the next run. */
const longestPauseMilliseconds = 5 * 60_000;

/**
 * Speaks to the LFS server of a host, which is beside the repository.
 * @param host returns the host of a URL, whose limits apply
 */
export function lfsServer(
  host: (location: Location) => Host,
  location: Location,
  configured: Configured,
  signIn: SignIn,
): LfsServer {
  const api = `${location.url.replace(/\.git$/, "")}.git/info/lfs/`;
  let redact = redactor(isApp(configured) ? undefined : configured);

  /** Waits where a host asks for a pause: everything else of the repository is stored already. */
  const patiently = <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> =>
    waitOutPauses(signal, work, (until) => {
      if (until - Date.now() > longestPauseMilliseconds)
        throw lacking(`The server asks to wait until ${new Date(until).toISOString()}`);
    });
  const authorization = async (signal: AbortSignal): Promise<Headers> => {
    const credentials = await currentCredentials(location, configured, signIn, signal);
    redact = redactor(credentials);
    return credentials ? { Authorization: basic(credentials) } : {};
  };
  /** Checks a URL of the server's: it must not lead from HTTPS to HTTP, or into this computer. */
  const locate = (target: string, from?: string): Location => {
    const url = URL.canParse(target, from) ? new URL(target, from) : undefined;
    const isHttp = url?.protocol === "http:" && location.transport === "http" && isLoopback(url.hostname);
    if (url?.protocol === "https:") return { url: url.href, transport: "https" };
    if (url && isHttp) return { url: url.href, transport: "http" };
    throw lacking(`The server leads to ${url?.protocol ?? "what"}// instead of https://`);
  };
  /** Sends a request, and follows redirects. @param headersFor returns the headers for an origin */
  const send = async (
    request: Pick<HttpRequest, "method" | "body">,
    target: Location,
    headersFor: (origin: string) => Promise<Headers>,
    followed: number,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    let at = target;
    for (let redirects = 0; ; redirects++) {
      const { url } = at;
      const answer = await patiently(async () => {
        const headers = { "User-Agent": agent, ...(await headersFor(new URL(url).origin)) };
        // Without a name for the credentials: that LFS is denied says nothing about the repository.
        return host(at).request({ ...request, url, headers }, undefined, signal);
      }, signal);
      const next = answer.headers.get("location");
      if (!(answer.status > 300 && answer.status < 309 && next !== null)) return answer;
      answer.cancel();
      if (redirects === followed) throw lacking("The server redirects, which credentials do not follow");
      at = locate(next, url);
    }
  };

  /** Sends a request to an offer: its own headers, and maybe the credentials, go to its own host alone. */
  const toOffer = async (
    request: Pick<HttpRequest, "method" | "body">,
    { href, headers, isAuthenticated }: Offer,
    common: Headers,
    followed: number,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const target = locate(href);
    const own = new URL(target.url).origin;
    const needsCredentials = !isAuthenticated && own === new URL(location.url).origin;
    const headersFor = async (origin: string): Promise<Headers> => {
      if (origin !== own) return common;
      return { ...common, ...(needsCredentials && (await authorization(signal))), ...headers };
    };
    return send(request, target, headersFor, followed, signal);
  };

  return {
    async post(path, headers, body, signal) {
      const headersFor = async () => ({ ...headers, ...(await authorization(signal)) });
      const hasCredentials = Object.keys(await patiently(() => authorization(signal), signal)).length > 0;
      const followed = hasCredentials ? 0 : redirectsFollowed;
      return send({ method: "POST", body }, locate(`${api}${path}`), headersFor, followed, signal);
    },
    get: (offer, signal) =>
      toOffer({ method: "GET" }, offer, { "Accept-Encoding": "identity" }, redirectsFollowed, signal),
    send: (offer, { headers, ...request }, signal) => toOffer(request, offer, headers, 0, signal),
    redact: (text) => redact(text),
  };
}
