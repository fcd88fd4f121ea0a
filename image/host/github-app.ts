import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Location } from "./location.ts";

/** A GitHub App. Its key signs requests for tokens, each of which is valid for an hour. */
export interface GitHubApp {
  /** The app's id, or its client id. */
  readonly id: string;
  readonly key: KeyObject;
}

/** The tokens that GitHub Apps give a run. */
export interface AppTokens {
  /**
   * Returns a token that may read a repository, and is valid for five more minutes at least.
   * @throws GitError, HostPaused, or the signal's reason
   */
  of(app: GitHubApp, location: Location, signal: AbortSignal): Promise<string>;
}

/** GitHub's keys are PKCS #1. Others may have converted theirs to PKCS #8. */
const pattern =
  /^github-app:([\w.-]+):\s*-----BEGIN (RSA )?PRIVATE KEY-----(.+)-----END (?:RSA )?PRIVATE KEY-----\s*$/s;

export const isAppText = (text: string): boolean => text.startsWith("github-app:");

/** Returns the app in `github-app:<app id>:<private key in PEM>`, or the problem as a sentence. */
export function parseGitHubApp(variable: string, text: string): GitHubApp | string {
  // The line breaks of a key get lost on many ways into a variable.
  const [, id, pkcs1, base64] = pattern.exec(text.replaceAll("\\n", "\n")) ?? [];
  if (id === undefined || base64 === undefined) {
    return `${variable} must be github-app:<app id>:<private key>, with the key from -----BEGIN to its last line (its value is not shown).`;
  }
  try {
    const type = pkcs1 ? "pkcs1" : "pkcs8";
    const key = createPrivateKey({ key: Buffer.from(base64, "base64"), format: "der", type });
    if (key.asymmetricKeyType === "rsa") return { id, key };
  } catch {
    // Not with the library's message: nothing of a key belongs in an error.
  }
  return `${variable} holds no private key that can be read (its value is not shown): generate a new one in the settings of the GitHub App ${id}, and use the whole file.`;
}

/**
 * Returns a JSON Web Token that proves to be the app, for ten minutes less a minute for clocks that differ.
 * Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
 * @param now in milliseconds since 1970
 */
export function signJwt({ id, key }: GitHubApp, now: number): string {
  const seconds = Math.floor(now / 1_000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const claims = { iat: seconds - 60, exp: seconds + 540, iss: id };
  const text = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}

/** Returns the address of the API of a clone URL's host: GitHub's, one with data residency, or an Enterprise Server. */
export function apiOf(url: string): string {
  const { origin, hostname } = new URL(url);
  if (hostname === "github.com") return "https://api.github.com";
  if (hostname.endsWith(".ghe.com")) return `https://api.${hostname}`;
  return `${origin}/api/v3`;
}

/** Returns the owner and the name in a clone URL, undefined where it is none of GitHub. */
export function ownerAndName(url: string): { owner: string; name: string } | undefined {
  const [, owner, name] = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/*$/.exec(new URL(url).pathname) ?? [];
  return owner && name ? { owner, name } : undefined;
}
