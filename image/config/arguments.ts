import { parseArgs } from "node:util";
import { variables } from "./variables.ts";

/** The command line of the worker. */
export interface Arguments {
  readonly help: boolean;
  /** Whether results go to a folder of this computer, and repositories come from the command line. */
  readonly local: boolean;
  readonly command: "collect" | "mirror" | "verify";
  readonly replay: boolean;
  readonly repositories: readonly string[];
  /** The mistakes, each a sentence. */
  readonly problems: readonly string[];
}

/** Parses `[local] [mirror | verify [--replay]] [REPO...]`. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: { help: { type: "boolean", short: "h" }, replay: { type: "boolean" } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const local = positionals[0] === "local";
  const words = local ? positionals.slice(1) : positionals;
  const command = words[0] === "verify" || words[0] === "mirror" ? words[0] : "collect";
  const repositories = command === "collect" ? words : words.slice(1);
  const [help, replay] = [values.help === true, values.replay === true];
  const problems = tokens.flatMap((token) => {
    if (token.kind !== "option" || ["help", "replay"].includes(token.name)) return [];
    return [`${token.rawName} is not an option; see --help.`];
  });
  if (replay && command !== "verify") problems.push("--replay is an option of verify alone; see --help.");
  if (!local && repositories.length > 0) {
    problems.push(
      `${repositories.join(" ")}: the worker accepts verify and --replay, and reads everything else from its environment.`,
    );
  }
  return { help, local, command, replay, repositories, problems };
}

export const usage = `Usage: npm start -- [REPO...]
       npm start -- verify [--replay] [REPO...]
       npm start -- mirror [REPO...]

Collects what changed in each repository since the last time. The results go to the folder git-diffs/ of this
checkout: one .diff for each change, its step record in _steps/, and the last collected commit in the file cursor.
The first time, everything is collected (a baseline).

  REPO   an HTTPS clone URL, or the path of a repository on this computer; this checkout if none is given

  verify     checks that the collected results are complete: every record, every byte of every diff, the cursor
  --replay   applies all diffs too, and compares the resulting trees
  mirror     keeps all branches and tags, with every past state, in a bare repository that plain git can clone

Environment:
  ${variables.gitBranch}                    branch to follow; default: the repository's HEAD
  ${variables.gitHttpCredentials}          user:password for the URLs, which must then be on one host
  ${variables.concurrency}                   number of repositories at a time; default: 8
  ${variables.timeoutSeconds}    time limit for each repository; default: 3600
  ${variables.maxDiffBytes}                size limit for each diff; default: 10737418240
  ${variables.onGoneCommit}                baseline or fail, when the host no longer has the last commit; default: baseline
  ${variables.binary}                        include: diffs contain the content of binary files; default: omit
  ${variables.scheduledTime}                ISO 8601 time that names the diffs; default: now

Exit status: 0 all collected or unchanged (or verified), 1 some failed, 2 wrong arguments or environment.
In a terminal, progress is displayed. Otherwise each line is a JSON object.
`;
