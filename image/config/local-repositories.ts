import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseCredentials } from "../host/credentials.ts";
import { type Location, parseLocation } from "../host/location.ts";
import { duplicateIndexes } from "../lib/duplicates.ts";
import type { Environment } from "../lib/environment.ts";
import { ConfigError } from "../lib/errors.ts";
import { branchesAndTags, branchProblem, type Repository } from "./repository.ts";
import { variables } from "./variables.ts";

/**
 * Reads the repositories of a run on this computer.
 * @param names URLs and paths; none means `folder` itself
 * @param folder the checkout, in which `git-diffs` holds all results
 * @param mirrors whether they are for mirrors, each in a folder whose name ends with `.git`
 * @throws ConfigError with every mistake
 */
export function readLocalRepositories(
  names: readonly string[],
  environment: Environment,
  folder: string,
  mirrors = false,
): Repository[] {
  const problems: string[] = [];
  const branch = environment[variables.gitBranch] || undefined;
  if (branch && branchProblem(branch)) problems.push(`${variables.gitBranch} ${branchProblem(branch)}`);
  const credentials = parseCredentials(
    variables.gitHttpCredentials,
    environment[variables.gitHttpCredentials] ?? "",
  );
  if (typeof credentials === "string") problems.push(credentials);
  // npm runs scripts in the package's folder; INIT_CWD is where npm was called.
  const base = environment.INIT_CWD ?? process.cwd();
  const locations = (names.length > 0 ? names : [folder]).flatMap((name): Location[] => {
    const location = locate(name, base);
    if (!("problem" in location)) return [location];
    problems.push(`${withoutSecrets(name)} ${location.problem}`);
    return [];
  });
  const hosts = new Set(locations.filter(isRemote).map(({ url }) => new URL(url).host));
  if (credentials && hosts.size > 1) {
    problems.push(
      `${variables.gitHttpCredentials} would go to ${[...hosts].join(" and ")}: collect one host at a time.`,
    );
  }
  const folders = locations.map((location) => folderOf(location, branch));
  for (const index of duplicateIndexes(folders)) problems.push(`${folders[index]} is given twice.`);
  if (problems.length > 0 || typeof credentials === "string") throw new ConfigError(problems);
  return locations.map((location) => {
    const destination = join(folder, "git-diffs", folderOf(location, branch) + (mirrors ? ".git" : ""));
    return {
      location,
      branch,
      cursor: join(destination, "cursor"),
      destination,
      ...(mirrors && { mirror: branchesAndTags }),
      credentials: isRemote(location) ? credentials : undefined,
    };
  });
}

const isRemote = ({ transport }: Location) => transport !== "file";

const withoutSecrets = (name: string) => name.replace(/\/\/[^/]*@/, "//***@").replace(/\?.*/, "?***");

function locate(name: string, base: string): Location | { problem: string } {
  if (/^file:/i.test(name)) return locateFile(name);
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) return parseLocation(name);
  const path = resolve(base, name.replace(/^~(?=\/|$)/, homedir()));
  if (isFolder(path)) return { url: pathToFileURL(path).href, transport: "file" };
  if (/^[\w.-]+@[\w.-]+:/.test(name)) return parseLocation(name);
  return { problem: "is neither an https:// URL nor a folder." };
}

function locateFile(url: string): Location | { problem: string } {
  const example = "give the path of a folder, or its URL such as file:///home/me/repository.";
  try {
    // Not the URL as given: it may write the same path in another way.
    const path = resolve(fileURLToPath(url));
    if (isFolder(path)) return { url: pathToFileURL(path).href, transport: "file" };
  } catch {
    // No file URL, or one of another computer.
  }
  return { problem: `is not the URL of a folder on this computer: ${example}` };
}

const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();

/** Returns the name of a repository's folder: a URL's host and path, or a folder's name and a hash of its path. */
function folderOf(location: Location, branch: string | undefined): string {
  const url = new URL(location.url);
  const hash = createHash("sha256").update(location.url).digest("hex").slice(0, 7);
  const name = isRemote(location)
    ? `${url.host}${url.pathname.replace(/\.git$/, "")}`
    : `${basename(decodeURIComponent(url.pathname))}-${hash}`;
  return branch === undefined ? name : `${name}@${encodeURIComponent(branch)}`;
}
