import { createHash, createHmac } from "node:crypto";

/** What the AWS SDK's credential providers return. */
export interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Matches CodeCommit's hosts, and no host with a similar name: a signature carries the session token. */
const codeCommitHost =
  /^(?:vpce-[^.]+\.)?git-codecommit(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$/;

/** Returns the region of a CodeCommit clone URL, and undefined for every other host. */
export function codeCommitRegion(url: string): string | undefined {
  return codeCommitHost.exec(new URL(url).hostname)?.[1];
}

/** Returns a function that gives the task role's identity. The SDK loads at its first call, and renews the identity. */
export function awsIdentity(): () => Promise<AwsIdentity> {
  let provider: Promise<() => Promise<AwsIdentity>> | undefined;
  return async () => {
    provider ??= import("@aws-sdk/credential-provider-node").then(({ defaultProvider }) => defaultProvider());
    return (await provider)();
  };
}

/**
 * Signs in to CodeCommit with Signature Version 4, as its git hosts expect it: the method is GIT, the path is the clone
 * URL's, `host` is the only header, and there is no payload hash. The result is valid for some 15 minutes.
 * Source: https://github.com/aws/git-remote-codecommit, and the vectors in the tests.
 */
export function signCodeCommit(
  url: string,
  region: string,
  identity: AwsIdentity,
  now: Date,
): { readonly user: string; readonly password: string } {
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
