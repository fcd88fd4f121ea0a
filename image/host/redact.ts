import type { Credentials } from "./credentials.ts";

/** Gives a function that takes these credentials, in any form in which git or a host might print them, out of a text. */
export function redactor(credentials: Credentials | undefined): (text: string) => string {
  if (credentials === undefined) return (text) => text;
  const { user, password } = credentials;
  const pair = `${user}:${password}`;
  const secrets = [
    Buffer.from(pair).toString("base64"),
    pair,
    password,
    encodeURIComponent(password),
    // A token can stand in the place of the name too, and does for CodeCommit; a plain user name is no secret.
    ...(user.length >= 20 ? [user, encodeURIComponent(user)] : []),
  ].filter((secret) => secret.length >= 4);
  return (text) => secrets.reduce((left, secret) => left.replaceAll(secret, "***"), text);
}
