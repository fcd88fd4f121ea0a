import { createHash, createHmac } from "node:crypto";
import type { Repository } from "../config/repositories.ts";
import { GitError } from "../lib/errors.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The credentials in `text`, none for an empty text or `-`, or the sentence that says what is wrong with them. */
export function readCredentials(variable: string, text: string): Credentials | undefined | string {
  if (text === "" || text === "-") return undefined;
  const colon = text.indexOf(":");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters would end the HTTP header
  if (colon < 0 || /[\x00-\x1f\x7f]/.test(text)) {
    return `${variable} must be user:password on one line (its value is not shown), or - for none.`;
  }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** What the AWS SDK's credential providers give. */
interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** CodeCommit's hosts and nothing that only looks like one: a signature carries the session token. */
const codeCommitHost =
  /^(?:vpce-[^.]+\.)?git-codecommit(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$/;

/** The task role's identity, looked up when it is first asked for, and renewed when it runs out. */
export function awsIdentity(): () => Promise<AwsIdentity> {
  let provider: Promise<() => Promise<AwsIdentity>> | undefined;
  return async () => {
    provider ??= import("@aws-sdk/credential-provider-node").then(({ defaultProvider }) => defaultProvider());
    return (await provider)();
  };
}

/** The configured credentials, or for CodeCommit over HTTPS a fresh signature by that identity. @throws GitError */
export async function credentialsFor(
  { location, credentials }: Repository,
  identity: () => Promise<AwsIdentity>,
): Promise<Credentials | undefined> {
  if (credentials || location.transport !== "https") return credentials;
  const region = codeCommitRegion(location.url);
  if (region === undefined) return undefined;
  try {
    return signCodeCommit(location.url, region, await identity(), new Date());
  } catch (error) {
    throw new GitError(
      "git-denied",
      `There are no AWS credentials to sign in to CodeCommit with: ${(error as Error).message}`,
      "Give the task a role that may GitPull this repository.",
      { cause: error },
    );
  }
}

/** The region of a CodeCommit clone URL; undefined for every other host. */
export function codeCommitRegion(url: string): string | undefined {
  return codeCommitHost.exec(new URL(url).hostname)?.[1];
}

/**
 * Signature Version 4 in the form that CodeCommit takes for git: method GIT, the clone URL's path, the host as the
 * only header, and no payload hash. Good for some 15 minutes.
 * Rule: https://github.com/aws/git-remote-codecommit and the vectors in the tests.
 */
export function signCodeCommit(url: string, region: string, identity: AwsIdentity, now: Date): Credentials {
  const { pathname, hostname } = new URL(url);
  const time = now.toISOString().replace(/[-:]|\.\d+Z/g, "");
  const day = time.slice(0, 8);
  const request = `GIT\n${pathname}\n\nhost:${hostname}\n\nhost\n`;
  const scope = `${day}/${region}/codecommit/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash("sha256").update(request).digest("hex")}`;
  const key = [day, region, "codecommit", "aws4_request"].reduce<string | Buffer>(
    (left, part) => createHmac("sha256", left).update(part).digest(),
    `AWS4${identity.secretAccessKey}`,
  );
  const signature = createHmac("sha256", key).update(text).digest("hex");
  const user = identity.sessionToken
    ? `${identity.accessKeyId}%${identity.sessionToken}`
    : identity.accessKeyId;
  return { user, password: `${time}Z${signature}` };
}
