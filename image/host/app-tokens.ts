import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { tooMuch } from "./answer-error.ts";
import { type AppTokens, apiOf, type GitHubApp, ownerAndName, signJwt } from "./github-app.ts";
import type { Host } from "./host.ts";
import type { Location } from "./location.ts";
import { redactor } from "./redact.ts";
import { openSlots, type Slots } from "./slots.ts";
import { agent } from "./transport.ts";

/** What is known of an app's installation on the account of an owner: its present token, or why it gives none. */
type Installation = { readonly token: string; readonly until: number } | { readonly error: GitError };

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** GitHub's own words. */
  readonly message: string;
}

/** What a token allows. */
export type Access = "read" | "write";

const spareMilliseconds = 5 * 60_000;
const answerBytes = 1024 * 1024;

/**
 * Requests tokens one by one, and keeps them. An app is installed on an account, once. So all repositories of an owner
 * share a token, and an hour of 300 of them takes two requests.
 * @param access what the tokens allow to do with the contents of repositories
 */
export function openAppTokens(hostOf: (location: Location) => Host, access: Access): AppTokens {
  const apps = new Map<string, { readonly slot: Slots; readonly installations: Map<string, Installation> }>();
  return {
    async of(app, location, signal) {
      const repository = ownerAndName(location.url);
      if (repository === undefined) throw noRepository(app);
      const api = apiOf(location.url);
      const id = `${app.id}@${api}`;
      const { slot, installations } = apps.get(id) ?? { slot: openSlots(1), installations: new Map() };
      apps.set(id, { slot, installations });
      const owner = repository.owner.toLowerCase();
      const known = (): string | undefined => {
        const installation = installations.get(owner);
        if (installation && "error" in installation) throw installation.error;
        return installation && installation.until > Date.now() ? installation.token : undefined;
      };
      const request = (path: string, body?: object) =>
        ask(hostOf({ ...location, url: api }), { app, api, path, body }, signal);
      const token = known();
      if (token !== undefined) return token;
      const release = await slot.take(signal);
      try {
        const token = known();
        if (token !== undefined) return token;
        const made = await makeToken(app, repository, access, request);
        installations.set(owner, made);
        if ("error" in made) throw made.error;
        return made.token;
      } finally {
        release();
      }
    },
  };
}

/**
 * Makes a token for the repositories of the app's installation, to access their contents.
 * Source: https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
 * @throws GitError where this repository has none
 */
async function makeToken(
  app: GitHubApp,
  { owner, name }: { readonly owner: string; readonly name: string },
  access: Access,
  request: (path: string, body?: object) => Promise<Answer>,
): Promise<Installation> {
  const installation = await request(`/repos/${owner}/${name}/installation`);
  if (installation.status === 404 && !/integration not found/i.test(installation.message))
    throw notInstalled(app, `${owner}/${name}`);
  if (installation.status !== 200) throw refusal(app, installation);
  if (installation.body.suspended_at) return { error: suspended(app, owner) };
  const { id } = installation.body;
  if (typeof id !== "number") throw notGitHub(installation);
  const path = `/app/installations/${id}/access_tokens`;
  const made = await request(path, { permissions: { contents: access } });
  if (made.status === 403 && /suspended/i.test(made.message)) return { error: suspended(app, owner) };
  if (made.status === 422) return { error: notPermitted(app, owner, access, made) };
  if (made.status !== 201) throw refusal(app, made);
  const { token, expires_at } = made.body;
  const end = Date.parse(String(expires_at));
  if (typeof token !== "string" || Number.isNaN(end)) throw notGitHub(made);
  return { token, until: end - spareMilliseconds };
}

interface Question {
  readonly app: GitHubApp;
  readonly api: string;
  readonly path: string;
  readonly body: object | undefined;
}

/** Sends a request to GitHub's API as the app. No error shows what proves to be it. */
async function ask(host: Host, { app, api, path, body }: Question, signal: AbortSignal): Promise<Answer> {
  const jwt = signJwt(app, Date.now());
  const redact = redactor({ user: "", password: jwt });
  const headers = {
    "User-Agent": agent,
    Accept: "application/vnd.github+json",
    Authorization: `Bearer ${jwt}`,
    ...(body && { "Content-Type": "application/json" }),
  };
  const method = body ? "POST" : "GET";
  const sent = body && Buffer.from(JSON.stringify(body));
  try {
    const request = { method, url: `${api}${path}`, headers, ...(sent && { body: sent }) } as const;
    const { status, body: bytes } = await host.request(request, `github-app ${app.id}`, signal);
    const parsed = parseObject(await readText(bytes));
    return { status, body: parsed, message: redact(printable(String(parsed.message ?? ""))).slice(0, 300) };
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new GitError(error.code, redact(`${api} gave no token. ${error.message}`), error.remedy);
  }
}

async function readText(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > answerBytes) throw tooMuch("an answer of its API", "1 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const parsed = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

const noRepository = ({ id }: GitHubApp) =>
  new GitError(
    "git-denied",
    `The GitHub App ${id} cannot sign in here: the URL is not of the form https://host/owner/name.`,
    "Correct the URL, or use other credentials for this repository.",
  );

const notInstalled = ({ id }: GitHubApp, repository: string) =>
  new GitError(
    "git-denied",
    `The GitHub App ${id} is not installed on ${repository} (HTTP status 404), or there is no such repository.`,
    "Install the app on it, or add it to the repositories that the installation may access; or correct the URL.",
  );

const suspended = ({ id }: GitHubApp, owner: string) =>
  new GitError(
    "git-denied",
    `The installation of the GitHub App ${id} on ${owner} is suspended.`,
    `Unsuspend it in the settings of ${owner}, under Installed GitHub Apps.`,
  );

const notPermitted = ({ id }: GitHubApp, owner: string, access: Access, { message }: Answer) =>
  new GitError(
    "git-denied",
    `The GitHub App ${id} may not ${access} contents on ${owner} (HTTP status 422: ${message}).`,
    `Give the app the repository permission Contents: ${access === "read" ? "Read-only" : "Read and write"}, and accept the change in the settings of ${owner}.`,
  );

const notGitHub = ({ status }: Answer) =>
  new GitError(
    "git-not-found",
    `What answers is not GitHub's API (HTTP status ${status}).`,
    "Check the URL. A GitHub App can sign in to GitHub and to GitHub Enterprise Server.",
  );

/** Returns the error for an answer that is about the app, or about no repository. */
function refusal({ id }: GitHubApp, { status, message }: Answer): GitError {
  const answer = `HTTP status ${status}${message && `: ${message}`}`;
  if (status === 401 || status === 404) {
    return new GitError(
      "git-denied",
      `GitHub refused the key of the GitHub App ${id} (${answer}).`,
      "Check the app's id, generate a new private key in its settings, and check the clock of this computer.",
    );
  }
  if (status === 403) {
    const remedy =
      "See GitHub's message; check the app, its installation, and the list of allowed addresses.";
    return new GitError("git-denied", `GitHub gave the GitHub App ${id} no token (${answer}).`, remedy);
  }
  if (status === 407) {
    const remedy = "Check the user and password in HTTPS_PROXY.";
    return new GitError("git-unreachable", "The proxy refused the request (HTTP status 407).", remedy);
  }
  if (status >= 300 && status < 400) {
    const remedy = "Set the URL to the repository's present address.";
    return new GitError("git-moved", `GitHub's API answered with a redirect (${answer}).`, remedy);
  }
  return new GitError(
    "git-unreachable",
    `GitHub's API gave no token (${answer}).`,
    "The next run tries again. If it happens again, check the host and the URL.",
  );
}
