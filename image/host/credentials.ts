import { GitError } from "../lib/errors.ts";
import { type AwsIdentity, codeCommitRegion, signCodeCommit } from "./codecommit.ts";
import type { Location } from "./location.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Returns the credentials in `text`, undefined for an empty text or `-`, or the problem as a sentence. */
export function parseCredentials(variable: string, text: string): Credentials | undefined | string {
  if (text === "" || text === "-") return undefined;
  const colon = text.indexOf(":");
  if (colon < 0 || /\p{Cc}/u.test(text)) {
    return `${variable} must be user:password on one line (its value is not shown), or - for none.`;
  }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Returns the configured credentials, or for CodeCommit over HTTPS a fresh signature. @throws GitError */
export async function currentCredentials(
  { url, transport }: Location,
  configured: Credentials | undefined,
  identity: () => Promise<AwsIdentity>,
): Promise<Credentials | undefined> {
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
