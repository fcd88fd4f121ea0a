/** Where a repository is fetched from: a URL without credentials, and its only allowed transport. */
export interface Location {
  readonly url: string;
  readonly transport: "https" | "http" | "file";
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export const isLoopback = (hostname: string): boolean => loopback.test(hostname);

/**
 * Parses an HTTPS clone URL. `http:` is accepted for loopback only. A user name without a password, which some hosts
 * print in their clone URLs, is dropped: credentials come from the environment.
 */
export function parseLocation(text: string): Location | { problem: string } {
  if (text === "") return { problem: "is missing: give the repository's HTTPS clone URL." };
  // Until the text is known to hold no password, no message repeats any of it.
  const https = httpsAddress(text);
  if (https) return { problem: `is an SSH address, which is not supported: use ${https}.` };
  const expected = "give its HTTPS clone URL, such as https://host/name.git.";
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return { problem: `is not an https:// URL (the worker takes no ssh, ext:: or path): ${expected}` };
  }
  if (/[\p{Cc} ]/u.test(text) || !URL.canParse(text)) return { problem: `is not a URL: ${expected}` };
  const url = new URL(text);
  if (url.password !== "") {
    return { problem: "contains a password: remove it, and put user:password into GIT_HTTP_CREDENTIALS." };
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    return { problem: `is http:// to ${url.hostname}, which sends everything unencrypted: use https://.` };
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return { problem: `is a ${url.protocol.slice(0, -1)}:// URL, which is not supported: ${expected}` };
  }
  if (url.search !== "" || url.hash !== "") return { problem: `has a query or a fragment: ${expected}` };
  url.username = "";
  return { url: url.href.replace(/\/+$/, ""), transport: url.protocol === "https:" ? "https" : "http" };
}

/** Returns the HTTPS URL that an SSH address most likely has too, such as https://host/name for git@host:name. */
function httpsAddress(text: string): string | undefined {
  const [, host, path] =
    /^ssh:\/\/(?:[\w.-]+@)?([\w.-]+)(?::\d+)?\/([\w./~-]+)$/i.exec(text) ??
    /^[\w.-]+@([\w.-]+):([\w./~-]+)$/.exec(text) ??
    [];
  return host && path && `https://${host}/${path.replace(/^\//, "")}`;
}

/** Returns whether git accepts a branch of this name. Source: https://git-scm.com/docs/git-check-ref-format */
export function isBranchName(branch: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids control characters in names
  const wrong = /^[-/]|[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|^\.|\.lock(\/|$)|[./]$|^@?$/;
  return !wrong.test(branch);
}
