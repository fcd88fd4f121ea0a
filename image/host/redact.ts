import type { Credentials } from "./credentials.ts";

/** Returns a function that replaces these credentials in a text, in every form in which git or a host may print them. */
export function redactor(credentials: Credentials | undefined): (text: string) => string {
  if (credentials === undefined) return (text) => text;
  const { user, password } = credentials;
  const pair = `${user}:${password}`;
  const secrets = [
    Buffer.from(pair).toString("base64"),
    pair,
    password,
    encodeURIComponent(password),
    // A user name may be a token, as CodeCommit's is. A short one is a plain name, and no secret.
    ...(user.length >= 20 ? [user, encodeURIComponent(user)] : []),
  ].filter((secret) => secret.length >= 4);
  return (text) => secrets.reduce((left, secret) => left.replaceAll(secret, "***"), text);
}
