import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type Credentials, readCredentials } from "../host/credentials.ts";
import { branchProblem, type Location, parseLocation } from "../host/location.ts";
import { ConfigError } from "../lib/errors.ts";
import { type Environment, variables } from "./variables.ts";

/** One configured repository: what to fetch, and where its cursor and its diffs live. */
export interface Repository {
  readonly location: Location;
  /** The branch to follow; the remote's HEAD where undefined. */
  readonly branch: string | undefined;
  /** Name of the SSM parameter, or path of the cursor's file. */
  readonly cursor: string;
  /** `bucket` or `bucket/prefix`, or a folder; no slash at the end. */
  readonly place: string;
  readonly credentials: Credentials | undefined;
}

/** What a person would call it: its URL or path, and the branch where one is configured. */
export function labelOf({ location, branch }: Repository): string {
  const place = location.transport === "file" ? fileURLToPath(location.url) : location.url;
  return branch === undefined ? place : `${place}@${branch}`;
}

const text = z.string({ error: "it must be there, and text" });

const entrySchema = z.strictObject(
  {
    gitRepo: text,
    gitBranch: text.optional(),
    parameterName: text,
    resultsBucket: text,
    gitHttpCredentials: text.optional(),
  },
  {
    error: ({ code, keys }) =>
      code === "unrecognized_keys"
        ? `it has the key ${keys?.[0]}, which is none of gitRepo, gitBranch, parameterName, resultsBucket and gitHttpCredentials`
        : "it must be an object",
  },
);
type Entry = z.infer<typeof entrySchema>;

/** The repositories that the environment names. @throws ConfigError with every mistake */
export function readRepositories(environment: Environment): Repository[] {
  const single = [variables.gitRepo, variables.gitBranch, variables.parameterName, variables.resultsBucket];
  if (!environment[variables.repositories]) {
    const problems: string[] = [];
    const entry: Entry = {
      gitRepo: environment[variables.gitRepo] ?? "",
      gitBranch: environment[variables.gitBranch] || undefined,
      parameterName: environment[variables.parameterName] ?? "",
      resultsBucket: environment[variables.resultsBucket] ?? "",
      gitHttpCredentials: variables.gitHttpCredentials,
    };
    const repository = readEntry(
      entry,
      (key) => variables[key],
      { [variables.gitHttpCredentials]: "-", ...environment },
      problems,
    );
    if (!repository) throw new ConfigError(problems);
    return [repository];
  }
  const name = variables.repositories;
  const problems = single
    .filter((variable) => environment[variable])
    .map(
      (variable) =>
        `${variable} and ${name} are both set: use ${name} for many repositories, or the single variables for one.`,
    );
  const repositories = readList(environment[name] ?? "").flatMap((entry, index) => {
    const parsed = entrySchema.safeParse(entry);
    if (parsed.success) {
      return readEntry(parsed.data, (key) => `${name}[${index}].${key}`, environment, problems) ?? [];
    }
    problems.push(
      ...parsed.error.issues.map(
        (issue) => `${[`${name}[${index}]`, ...issue.path].join(".")} is not right: ${issue.message}.`,
      ),
    );
    return [];
  });
  problems.push(
    ...twice(repositories, "cursor", "parameterName"),
    ...twice(repositories, "place", "resultsBucket"),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return repositories;
}

function readList(text: string): unknown[] {
  const shape = `${variables.repositories} must be a JSON array such as [{"gitRepo":"https://host/name.git","parameterName":"/git-diff/name","resultsBucket":"bucket/name"}]`;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // Not in the parser's words, which show what stands there: a token, if the variables were mixed up.
    throw new ConfigError([`${shape}; it is not JSON (its value is not shown).`]);
  }
  if (!Array.isArray(list) || list.length === 0)
    throw new ConfigError([`${shape}, with at least one entry.`]);
  return list;
}

function readEntry(
  entry: Entry,
  nameOf: (key: keyof Entry) => string,
  environment: Environment,
  problems: string[],
): Repository | undefined {
  const before = problems.length;
  const complain = (key: keyof Entry, problem: string | undefined) => {
    if (problem) problems.push(`${nameOf(key)} ${problem}`);
  };
  const location = parseLocation(entry.gitRepo);
  if ("problem" in location) complain("gitRepo", location.problem);
  complain("gitBranch", entry.gitBranch === undefined ? undefined : branchProblem(entry.gitBranch));
  complain("parameterName", parameterProblem(entry.parameterName));
  const place = entry.resultsBucket.replace(/\/+$/, "");
  complain("resultsBucket", placeProblem(place));
  let credentials: Credentials | undefined;
  if (entry.gitHttpCredentials !== undefined) {
    const text = environment[entry.gitHttpCredentials];
    if (text === undefined) {
      complain(
        "gitHttpCredentials",
        // Credentials put here themselves, by mistake, must not be shown.
        /^[A-Z_][A-Z0-9_]*$/.test(entry.gitHttpCredentials)
          ? `names the variable ${entry.gitHttpCredentials}, which is not set: set it to user:password, or to - for none.`
          : "must be the name of the variable that holds the credentials, such as GITHUB (its value is not shown).",
      );
    } else {
      const read = readCredentials(entry.gitHttpCredentials, text);
      if (typeof read === "string") problems.push(read);
      else credentials = read;
    }
  }
  if (problems.length > before || "problem" in location) return undefined;
  return { location, branch: entry.gitBranch, cursor: entry.parameterName, place, credentials };
}

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html */
function parameterProblem(name: string): string | undefined {
  if (name === "") return "is missing: name the SSM parameter that holds the cursor, such as /git-diff/api.";
  if (/^(arn:[^:]+:ssm:[^:]+:\d+:parameter)?[\w./-]{1,1011}$/.test(name)) return undefined;
  return `is "${name}": an SSM parameter's name has only letters, digits and . _ - /.`;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
function placeProblem(place: string): string | undefined {
  if (place === "")
    return "is missing: name the bucket for the diffs, such as my-bucket or my-bucket/prefix.";
  const [bucket = "", ...prefix] = place.split("/");
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    return `is "${place}": it must be bucket or bucket/prefix, and a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens.`;
  }
  if (prefix.some((part) => part === "" || part === "." || part === "..")) {
    return `is "${place}": a part of the prefix is empty, . or ..`;
  }
}

function twice(repositories: Repository[], property: "cursor" | "place", key: string): string[] {
  const values = repositories.map((repository) => repository[property].replace(/^arn:.*:parameter/, ""));
  const repeated = new Set(values.filter((value, index) => values.indexOf(value) !== index));
  return [...repeated].map(
    (value) =>
      `${variables.repositories} has the ${key} "${value}" twice: every repository needs one of its own.`,
  );
}
