import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readCredentials } from "../host/credentials.ts";
import { branchProblem, type Location, parseLocation } from "../host/location.ts";
import { ConfigError } from "../lib/errors.ts";
import { fileCursor, folderObjects } from "../stores/folder.ts";
import type { Stores } from "../stores/stores.ts";
import type { Repository } from "./repositories.ts";
import { type Environment, variables } from "./variables.ts";

export const usage = `Usage: npm start -- [REPO...]
       npm start -- verify [--replay] [REPO...]

Collects what changed in each repository since the last time, into the folder git-diffs/ of this checkout:
one .diff a change, a step record beside it in _steps/, and the last collected commit in the file cursor.
The first time, that is everything (a baseline).

  REPO   an HTTPS clone URL, or the path of a repository on this computer; this checkout unless told

  verify     checks instead that what was collected is whole: every record, every byte of every diff, the cursor
  --replay   also applies all diffs, and compares the trees they lead to

Environment:
  ${variables.gitBranch}                    branch to follow; the repository's HEAD unless set
  ${variables.gitHttpCredentials}          user:password for the URLs, which must then be on one host
  ${variables.concurrency}                   how many repositories at once; 8 unless set
  ${variables.timeoutSeconds}    how long one may take; 3600 unless set
  ${variables.maxDiffBytes}                how large a diff may be; 10737418240 unless set
  ${variables.onGoneCommit}                baseline (unless set) or fail, when history was rewritten and the last commit is gone
  ${variables.binary}                        include, to have the content of binary files in the diffs; omit unless set

  ${variables.scheduledTime}                ISO 8601 time that names the diffs; now unless set

Exit status: 0 all collected or unchanged (verified), 1 some failed (do not hold), 2 wrong arguments or environment.
In a terminal it shows progress; piped, it prints one JSON object a line.
`;

/** The repositories named on the command line. @throws ConfigError with every mistake */
export function readArguments(
  args: readonly string[],
  environment: Environment,
  folder: string,
): Repository[] {
  const problems: string[] = [];
  const branch = environment[variables.gitBranch] || undefined;
  if (branch && branchProblem(branch)) problems.push(`${variables.gitBranch} ${branchProblem(branch)}`);
  const credentials = readCredentials(
    variables.gitHttpCredentials,
    environment[variables.gitHttpCredentials] ?? "",
  );
  if (typeof credentials === "string") problems.push(credentials);
  // npm runs scripts in the package's folder, and says in INIT_CWD where it was called.
  const base = environment.INIT_CWD ?? process.cwd();
  const locations = (args.length > 0 ? args : [folder]).flatMap((text): Location[] => {
    const location = text.startsWith("-") ? { problem: "is no option; see --help." } : locate(text, base);
    if (!("problem" in location)) return [location];
    // Without what could be a secret: a password, or a query.
    problems.push(`${text.replace(/\/\/[^/]*@/, "//***@").replace(/\?.*/, "?***")} ${location.problem}`);
    return [];
  });
  const hosts = new Set(locations.filter(isRemote).map(({ url }) => new URL(url).host));
  if (credentials && hosts.size > 1) {
    problems.push(
      `${variables.gitHttpCredentials} would be sent to ${[...hosts].join(" and ")}: collect one host at a time.`,
    );
  }
  const places = locations.map((location) => placeOf(location, branch));
  const again = new Set(places.filter((place, index) => places.indexOf(place) !== index));
  for (const place of again) problems.push(`${place} is named twice.`);
  if (problems.length > 0 || typeof credentials === "string") throw new ConfigError(problems);
  return locations.map((location) => {
    const place = join(folder, "git-diffs", placeOf(location, branch));
    return {
      location,
      branch,
      cursor: join(place, "cursor"),
      place,
      credentials: isRemote(location) ? credentials : undefined,
    };
  });
}

export const openFolder = ({ cursor, place }: Repository): Stores => ({
  cursor: fileCursor(cursor),
  objects: folderObjects(place),
});

const isRemote = ({ transport }: Location) => transport !== "file";

function locate(text: string, base: string): Location | { problem: string } {
  if (/^file:\/\//i.test(text) && URL.canParse(text)) return locate(fileURLToPath(text), base);
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return parseLocation(text);
  const path = resolve(base, text.replace(/^~(?=\/|$)/, homedir()));
  if (existsSync(path) && statSync(path).isDirectory())
    return { url: pathToFileURL(path).href, transport: "file" };
  const ssh = /^[\w.-]+@[\w.-]+:/.test(text);
  return {
    problem: ssh
      ? "is an SSH address: give the repository's https:// URL."
      : "is neither an https:// URL nor a folder.",
  };
}

/** Where a repository's diffs lie: a URL's host and path, or a folder's name and a hash of its whole path. */
function placeOf(location: Location, branch: string | undefined): string {
  const url = new URL(location.url);
  const hash = createHash("sha256").update(location.url).digest("hex").slice(0, 7);
  const place = isRemote(location)
    ? `${url.host}${url.pathname.replace(/\.git$/, "")}`
    : `${basename(decodeURIComponent(url.pathname))}-${hash}`;
  return branch === undefined ? place : `${place}@${encodeURIComponent(branch)}`;
}
