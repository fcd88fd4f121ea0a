import { parseArgs } from "node:util";
import { variables } from "./variables.ts";

/** The command line of the worker. */
export interface Arguments {
  readonly help: boolean;
  /** Whether results go to a folder of this computer, and repositories come from the command line. */
  readonly local: boolean;
  readonly command: Command;
  /** What follows the command: repositories, or the operands that `commands` names. */
  readonly operands: readonly string[];
  readonly options: Options;
  /** The mistakes, each a sentence. */
  readonly problems: readonly string[];
}

/** Each command, what it is followed by (REPO... for any number, brackets for what may be left out), and its options. */
const commands = {
  collect: { operands: "REPO...", options: [] },
  verify: { operands: "REPO...", options: ["replay", "part", "lock-days", "tables"] },
  tables: { operands: "REPO...", options: [] },
  report: { operands: "REPO...", options: ["since"] },
  mirror: { operands: "REPO...", options: [] },
  restore: { operands: "PLACE [DIR]", options: ["at", "step", "push", "exact"] },
  show: { operands: "PLACE REF:PATH", options: ["at", "step"] },
  export: { operands: "PLACE", options: ["since", "output"] },
  import: { operands: "DELTA PLACE", options: [] },
} as const;
export type Command = keyof typeof commands;

/** The options that take no value, and those that do. */
const flags = ["replay", "exact", "tables"] as const;
const values = ["at", "step", "part", "lock-days", "since", "output", "push"] as const;
export type Options = { readonly [Name in (typeof flags)[number]]?: boolean } & {
  readonly [Name in (typeof values)[number]]?: string;
};

/** Parses `[local] [COMMAND] [OPTION...] [OPERAND...]`. */
export function parseArguments(argv: readonly string[]): Arguments {
  const known = {
    help: { type: "boolean", short: "h" } as const,
    ...Object.fromEntries(flags.map((name) => [name, { type: "boolean" } as const])),
    ...Object.fromEntries(values.map((name) => [name, { type: "string" } as const])),
  };
  const parsed = parseArgs({
    args: [...argv],
    options: known,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const { positionals, tokens } = parsed;
  const local = positionals[0] === "local";
  const [first = "", ...rest] = local ? positionals.slice(1) : positionals;
  const isCommand = first !== "collect" && Object.hasOwn(commands, first);
  const command = isCommand ? (first as Command) : "collect";
  const operands = isCommand || first === "" ? rest : [first, ...rest];
  const { operands: expected, options: allowed } = commands[command];
  const problems = tokens.flatMap((token) => {
    if (token.kind !== "option" || token.name === "help") return [];
    if (!Object.hasOwn(known, token.name)) return [`${token.rawName} is not an option; see --help.`];
    if ((allowed as readonly string[]).includes(token.name)) return [];
    const owners = Object.entries(commands).filter(([, { options }]) =>
      (options as readonly string[]).includes(token.name),
    );
    return [
      `${token.rawName} is an option of ${owners.map(([name]) => name).join(" and ")} alone; see --help.`,
    ];
  });
  const isMany = expected === "REPO...";
  if (isMany && !local && operands.length > 0) {
    problems.push(
      `${operands.join(" ")}: the worker accepts a command and its options (see --help), and reads everything else from its environment.`,
    );
  }
  const places = expected.split(" ");
  const least = places.filter((place) => !place.startsWith("[")).length;
  if (!isMany && (operands.length < least || operands.length > places.length)) {
    problems.push(`${command} is followed by ${expected}; see --help.`);
  }
  const { help, ...options } = parsed.values as Options & { readonly help?: boolean };
  return { help: help === true, local, command, operands, options, problems };
}

export const usage = `Usage: npm start -- [REPO...]
       npm start -- verify [--replay] [--tables] [--part N/T] [--lock-days N] [REPO | PLACE...]
       npm start -- tables [REPO...]
       npm start -- report [--since TIME] [REPO...]
       npm start -- mirror [REPO...]
       npm start -- restore PLACE DIR [--at TIME | --step N]
       npm start -- restore PLACE [DIR] --push URL [--exact] [--at TIME | --step N]
       npm start -- show PLACE REF:PATH [--at TIME | --step N]
       npm start -- export PLACE [--since N] --output DELTA
       npm start -- import DELTA PLACE

Collects what changed in each repository since the last time. The results go to the folder git-diffs/ of this
checkout: one .diff for each change, its step record in _steps/, and the last collected commit in the file cursor.
The first time, everything is collected (a baseline).

  REPO   an HTTPS clone URL, or the path of a repository on this computer; this checkout if none is given

  verify     checks that the collected results are complete: every record, every byte of every diff, the cursor
             or that the mirrors in these places (folders or s3://bucket/prefix) are: every record, pack and index
  --replay   applies all diffs too, and compares the resulting trees; of a mirror, proves every state connected
  --part     checks the Nth of T parts of a mirror's packs; with next/T the one after the last time's
  --lock-days  extends the Object Lock of everything in a mirror to N days from now, where less than half is left
  --tables   compares the tables with the records
  tables     begins tables in Parquet, or adds what they lack; from then on, each run adds to them
  report     adds to the tables in the same way, and makes one page of them to look at: git-diffs/report.html
  --since    the first month of the report, such as 2026-01, or 365d for so many days; default: 365d
  mirror     keeps all branches and tags, with every past state, in a bare repository that plain git can clone
  restore    makes a bare repository in DIR of the mirror in PLACE, a folder or s3://bucket/prefix, as it is or was
  --push     pushes that state to the repository at URL, and compares its refs afterwards
  --exact    deletes there what was never in the mirror, too
  show       writes one file of the mirror to stdout, or the names in a folder, without a clone
  export     writes all steps of a mirror or of diffs, or those since step N, as one file; - is stdout
  import     adds such a file, - for stdin, to a place without a network; it is refused unless it is whole and fits

Environment:
  ${variables.gitBranch}                    branch to follow; default: the repository's HEAD
  ${variables.gitHttpCredentials}          user:password for the URLs, which must then be on one host
  ${variables.concurrency}                   number of repositories at a time; default: 8
  ${variables.timeoutSeconds}    time limit for each repository; default: 3600
  ${variables.maxDiffBytes}                size limit for each diff; default: 10737418240
  ${variables.onGoneCommit}                baseline or fail, when the host no longer has the last commit; default: baseline
  ${variables.binary}                        include: diffs contain the content of binary files; default: omit
  ${variables.scheduledTime}                ISO 8601 time that names the diffs; default: now
  ${variables.people}                        hash, plain or omit: how people appear in tables; default: hash
  ${variables.tablesHunks}                  true: a table of hunks too; default: false

Exit status: 0 all collected or unchanged (or verified), 1 some failed, 2 wrong arguments or environment.
In a terminal, progress is displayed. Otherwise each line is a JSON object.
`;
