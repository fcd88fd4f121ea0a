import { GitError } from "../lib/errors.ts";
import { type AwsIdentity, codeCommitRegion, signCodeCommit } from "./codecommit.ts";
import { type AppTokens, type GitHubApp, isAppText, parseGitHubApp } from "./github-app.ts";
import type { Location } from "./location.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** What a repository is configured with. */
export type Configured = Credentials | GitHubApp | undefined;

/** How credentials are made that are valid for some time only. */
export interface SignIn {
  /** Returns the AWS identity that signs in to CodeCommit. */
  readonly identity: () => Promise<AwsIdentity>;
  readonly appTokens: AppTokens;
}

export const isApp = (configured: Configured): configured is GitHubApp =>
  configured !== undefined && "key" in configured;

/** Returns the credentials in `text`, undefined for an empty text or `-`, or the problem as a sentence. */
export function parseCredentials(variable: string, text: string): Configured | string {
  if (text === "" || text === "-") return undefined;
  if (isAppText(text)) return parseGitHubApp(variable, text);
  const colon = text.indexOf(":");
  if (colon < 0 || /\p{Cc}/u.test(text)) {
    return `${variable} must be user:password on one line, or github-app:<app id>:<private key> (its value is not shown), or - for none.`;
  }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/**
 * Returns the configured credentials, an app's token, or for CodeCommit over HTTPS a fresh signature.
 * @throws GitError, HostPaused, or the signal's reason
 */
export async function currentCredentials(
  location: Location,
  configured: Configured,
  { identity, appTokens }: SignIn,
  signal: AbortSignal,
): Promise<Credentials | undefined> {
  if (isApp(configured)) {
    return { user: "x-access-token", password: await appTokens.of(configured, location, signal) };
  }
  const { url, transport } = location;
  if (configured || transport !== "https") return configured;
  const region = codeCommitRegion(url);
  if (region === undefined) return undefined;
  try {
    return signCodeCommit(url, region, await identity(), new Date());
  } catch (error) {
    throw new GitError(
      "git-denied",
      `No AWS credentials were found to sign in to CodeCommit: ${(error as Error).message}`,
      "Give the task a role with codecommit:GitPull on this repository.",
      { cause: error },
    );
  }
}
