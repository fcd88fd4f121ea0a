import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { notGit, refused } from "./answer-error.ts";
import { codeCommitRegion } from "./codecommit.ts";
import { type Configured, type Credentials, currentCredentials, isApp, type SignIn } from "./credentials.ts";
import { ownerAndName } from "./github-app.ts";
import type { Host } from "./host.ts";
import type { HttpAnswer, HttpRequest } from "./http.ts";
import type { Location } from "./location.ts";
import { redactor } from "./redact.ts";
import { agent, type Service, type Transport } from "./transport.ts";

const redirectsFollowed = 5;

/** Speaks to a host over HTTP. Source: https://git-scm.com/docs/http-protocol */
export function httpTransport(
  host: (location: Location) => Host,
  location: Location,
  configured: Configured,
  signIn: SignIn,
  service: Service,
): Transport {
  /** Where the repository is, which a redirect of the first request can change. */
  let base = location;
  const credentialId = idOf(location, configured);
  const caller = { configured, credentialId, service };
  let redact = redactor(isApp(configured) ? undefined : configured);

  const send = async (
    { url, body, headers }: Pick<HttpRequest, "url" | "body" | "headers">,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    // Read each time: CodeCommit's signature is valid for some 15 minutes, an app's token for an hour.
    const credentials = await currentCredentials(location, configured, signIn, signal);
    redact = redactor(credentials);
    const request = {
      method: body === undefined ? ("GET" as const) : ("POST" as const),
      url,
      ...(body && { body }),
      headers: {
        "User-Agent": agent,
        "Git-Protocol": "version=2",
        ...headers,
        ...(credentials && { Authorization: basic(credentials) }),
      },
    };
    return host(base).request(request, credentialId, signal);
  };

  return {
    async advertise(signal) {
      for (let redirects = 0; ; redirects++) {
        const url = `${base.url}/info/refs?service=${service}`;
        const answer = await send({ url, headers: { "Cache-Control": "no-cache" } }, signal);
        const target = isRedirect(answer) ? answer.headers.get("location") : null;
        if (target !== null && configured === undefined && credentialId === undefined) {
          answer.cancel();
          if (redirects === redirectsFollowed) throw moved(answer, "again and again");
          base = redirected(base, target, answer);
          continue;
        }
        return expect(answer, `application/x-${service}-advertisement`, caller);
      }
    },
    async post(body, signal) {
      const headers = {
        "Content-Type": `application/x-${service}-request`,
        Accept: `application/x-${service}-result`,
      };
      const answer = await send({ url: `${base.url}/${service}`, body, headers }, signal);
      // The host has answered the advertisement before, so it exists. Now it may refuse this one request.
      if (/^(400|406|411|413|422|500|501)$/.test(String(answer.status))) {
        answer.cancel();
        throw refused(`HTTP status ${answer.status}`);
      }
      return expect(answer, `application/x-${service}-result`, caller);
    },
    redact: (text) => redact(text),
  };
}

/** Identifies credentials that a host may deny. */
function idOf({ url }: Location, configured: Configured): string | undefined {
  if (configured === undefined) return codeCommitRegion(url);
  // Each owner's repositories have a token of their own.
  if (isApp(configured)) return `${configured.id}@${ownerAndName(url)?.owner}`;
  return `${configured.user}:${configured.password}`;
}

/** Who asks a host, and for what. */
interface Caller {
  readonly configured: Configured;
  readonly credentialId: string | undefined;
  readonly service: Service;
}

/** What to do when a host denies access. CodeCommit has no credentials of its own: AWS's sign in. */
function remedyFor({ configured, credentialId, service }: Caller): string {
  const [action, right] = service === "git-upload-pack" ? ["read", "GitPull"] : ["write to", "GitPush"];
  if (configured) return `Check the credentials, and their permission to ${action} this repository.`;
  return credentialId === undefined
    ? `Configure credentials that may ${action} this repository, or check the URL.`
    : `Allow the task role codecommit:${right} on this repository, or check the URL.`;
}

export const basic = ({ user, password }: Credentials) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

const isRedirect = ({ status }: HttpAnswer) => [301, 302, 303, 307, 308].includes(status);

/** Returns where a redirect of the first request leads, as a clone URL. Never from HTTPS to HTTP. */
function redirected(from: Location, target: string, answer: HttpAnswer): Location {
  const url = URL.canParse(target, from.url) ? new URL(target, from.url) : undefined;
  const path = url?.pathname.replace(/\/info\/refs$/, "");
  if (url === undefined || path === url.pathname) throw moved(answer, `to ${shown(target)}`);
  if (url.protocol !== `${from.transport}:` && url.protocol !== "https:") {
    throw moved(answer, "to an unencrypted address");
  }
  return { url: `${url.origin}${path}`, transport: url.protocol === "https:" ? "https" : "http" };
}

/** Returns the body of an answer of this type. @throws GitError for every other status or type */
function expect(answer: HttpAnswer, type: string, caller: Caller): AsyncIterable<Uint8Array> {
  const contentType = answer.headers.get("content-type") ?? "";
  if (answer.status === 200 && contentType.split(";")[0]?.trim() === type) return answer.body;
  answer.cancel();
  throw answer.status === 200 ? notGit(`its type is "${shown(contentType)}"`) : statusError(answer, caller);
}

function statusError(answer: HttpAnswer, caller: Caller): GitError {
  const { status, headers } = answer;
  if (isRedirect(answer)) return moved(answer, `to ${shown(headers.get("location") ?? "")}`);
  if (status === 401 || status === 403) {
    const challenge = headers.get("www-authenticate");
    const asked = challenge === null ? "" : ` and asks for ${shown(challenge)}`;
    return new GitError(
      "git-denied",
      `The host denied access (HTTP status ${status}${asked}).`,
      remedyFor(caller),
    );
  }
  if (status === 404 || status === 410 || status === 451) {
    return new GitError(
      "git-not-found",
      `The repository does not exist, or these credentials may not see it (HTTP status ${status}).`,
      isApp(caller.configured)
        ? "Check the URL, and that the installation of the GitHub App may access this repository."
        : "Check the URL and the credentials.",
    );
  }
  if (status === 407) {
    return new GitError(
      "git-unreachable",
      "The proxy refused the request (HTTP status 407).",
      "Check the user and password in HTTPS_PROXY.",
    );
  }
  return new GitError(
    "git-unreachable",
    `The host failed with HTTP status ${status}.`,
    "The next run tries again. If it happens again, check the host and the URL.",
  );
}

const moved = ({ status }: HttpAnswer, where: string) =>
  new GitError(
    "git-moved",
    `The host answered with a redirect ${where} (HTTP status ${status}). Credentials never follow a redirect.`,
    "Set the URL to the repository's present address.",
  );

const shown = (text: string) => printable(text).replace(/\?.*/, "?***").slice(0, 200);
