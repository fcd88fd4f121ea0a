/** Where a repository is fetched from: a URL without credentials, and the only transport git may use for it. */
export interface Location {
  readonly url: string;
  readonly transport: "https" | "http" | "file";
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Reads an HTTPS clone URL; `http:` is for loopback only. A user name without a password, as some hosts print it in
 * their clone URLs, is dropped: credentials come from the environment.
 */
export function parseLocation(text: string): Location | { problem: string } {
  if (text === "") return { problem: "is missing: give the repository's HTTPS clone URL." };
  // Nothing of the text is shown before it is known to hold no password.
  const wanted = "give its HTTPS clone URL, such as https://host/name.git.";
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return { problem: `is not an https:// URL (ssh, ext:: and paths are not for the worker): ${wanted}` };
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a URL, and git would pass them on
  if (/[\x00-\x20\x7f]/.test(text) || !URL.canParse(text)) return { problem: `is not a URL: ${wanted}` };
  const url = new URL(text);
  if (url.password !== "") {
    return { problem: "has a password in it: take it out and put user:password into GIT_HTTP_CREDENTIALS." };
  }
  if (url.protocol === "http:" && !loopback.test(url.hostname)) {
    return {
      problem: `is http:// to ${url.hostname}, which would send everything in the clear: use https://.`,
    };
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return {
      problem: `is a ${url.protocol.slice(0, -1)}:// URL, which the worker does not speak: ${wanted}`,
    };
  }
  if (url.search !== "" || url.hash !== "") return { problem: `has a query or a fragment: ${wanted}` };
  url.username = "";
  return { url: url.href.replace(/\/+$/, ""), transport: url.protocol === "https:" ? "https" : "http" };
}

/** What is wrong with the name of a branch, by https://git-scm.com/docs/git-check-ref-format. */
export function branchProblem(branch: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule forbids them
  const wrong = /^[-/]|[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|^\.|\.lock(\/|$)|[./]$|^@?$/;
  return wrong.test(branch)
    ? `is "${branch}": that cannot be the name of a branch; leave out refs/heads/.`
    : undefined;
}
