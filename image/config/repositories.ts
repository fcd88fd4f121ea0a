import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { type Configured, parseCredentials } from "../host/credentials.ts";
import { parseLocation } from "../host/location.ts";
import { duplicateIndexes } from "../lib/duplicates.ts";
import type { Environment } from "../lib/environment.ts";
import { ConfigError } from "../lib/errors.ts";
import { archivePrefix, branchesAndTags, branchProblem, type Repository } from "./repository.ts";
import { variables } from "./variables.ts";

const text = z.string({ error: "it is required, and must be text" });

const entryKeys = {
  gitRepo: text,
  gitBranch: text.optional(),
  parameterName: text,
  resultsBucket: text,
  gitHttpCredentials: text.optional(),
  collect: z
    .array(z.enum(["diffs", "mirror"], { error: "it must be diffs or mirror" }))
    .min(1, { error: 'it must be a list, such as ["diffs", "mirror"]' })
    .default(["diffs"]),
  refs: z
    .array(z.string().regex(/^refs\/\S+\/$/, { error: "it must begin with refs/ and end with /" }))
    .min(1, { error: "it must be a list of beginnings of refs" })
    .default([...branchesAndTags]),
  lfs: z.boolean({ error: "it must be true or false" }).default(true),
  archiveRefs: z.boolean({ error: "it must be true or false" }).default(false),
};
const entrySchema = z.strictObject(entryKeys, {
  error: ({ code, keys }) =>
    code === "unrecognized_keys"
      ? `it has the key ${keys?.[0]}, which is none of ${Object.keys(entryKeys).join(", ")}`
      : "it must be an object",
});
type Entry = z.infer<typeof entrySchema>;

/** Reads the repositories that the environment names. @throws ConfigError with every mistake */
export function readRepositories(environment: Environment): Repository[] {
  const file = environment[variables.repositoriesFile];
  if (environment[variables.repositories]) {
    if (!file)
      return readMany(environment, variables.repositories, environment[variables.repositories] ?? "");
    throw new ConfigError([
      `${variables.repositories} and ${variables.repositoriesFile} are both set: use one.`,
    ]);
  }
  return file ? readMany(environment, variables.repositoriesFile, readList(file)) : [readOne(environment)];
}

/** Linux limits a variable to 128 KiB, some 500 repositories. */
function readList(file: string): string {
  try {
    return readFileSync(resolve(file), "utf8");
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigError([`${variables.repositoriesFile} must name a file that can be read (${message}).`]);
  }
}

function readOne(environment: Environment): Repository {
  const entry: Entry = {
    gitRepo: environment[variables.gitRepo] ?? "",
    gitBranch: environment[variables.gitBranch] || undefined,
    parameterName: environment[variables.parameterName] ?? "",
    resultsBucket: environment[variables.resultsBucket] ?? "",
    gitHttpCredentials: variables.gitHttpCredentials,
    collect: ["diffs"],
    refs: [],
    lfs: true,
    archiveRefs: false,
  };
  const withDefault = { [variables.gitHttpCredentials]: "-", ...environment };
  const problems: string[] = [];
  const repository = readEntry(entry, (key) => variables[key], withDefault, parseCredentials, problems);
  if (!repository) throw new ConfigError(problems);
  return repository;
}

/** @param name the variable that the list comes from */
function readMany(environment: Environment, name: string, list: string): Repository[] {
  const single = [variables.gitRepo, variables.gitBranch, variables.parameterName, variables.resultsBucket];
  const problems = single
    .filter((variable) => environment[variable])
    .map(
      (variable) =>
        `${variable} and ${name} are both set: use ${name} for many repositories, or the single variables for one.`,
    );
  // Repositories share credentials, and a private key takes time to parse.
  const known = new Map<string, ReturnType<Parse>>();
  const parseOnce: Parse = (variable, text) => {
    const credentials = known.has(variable) ? known.get(variable) : parseCredentials(variable, text);
    known.set(variable, credentials);
    return credentials;
  };
  const read = parseList(name, list).flatMap((entry, index) => {
    const parsed = entrySchema.safeParse(entry);
    if (parsed.success) {
      if (parsed.data.archiveRefs && parsed.data.refs.some((ref) => ref.startsWith(archivePrefix)))
        problems.push(
          `${name}[${index}].archiveRefs keeps refs below ${archivePrefix}, which refs has of the host: remove one of the two.`,
        );
      const nameOf = (key: CheckedKey) => `${name}[${index}].${key}`;
      const repository = readEntry(parsed.data, nameOf, environment, parseOnce, problems);
      return repository ? [{ repository, entry: parsed.data }] : [];
    }
    problems.push(
      ...parsed.error.issues.map(
        (issue) => `${[`${name}[${index}]`, ...issue.path].join(".")} is not valid: ${issue.message}.`,
      ),
    );
    return [];
  });
  const cursors = read.map(({ repository }) => repository.cursor);
  const destinations = read.map(({ repository }) => repository.destination);
  problems.push(...duplicateProblems(name, "parameterName", cursors));
  problems.push(...duplicateProblems(name, "resultsBucket", destinations));
  if (problems.length > 0) throw new ConfigError(problems);
  return read.flatMap(({ repository, entry: { collect, refs, lfs, archiveRefs } }) => [
    ...(collect.includes("diffs") ? [repository] : []),
    ...(collect.includes("mirror") ? [{ ...mirrorOf(repository, refs, lfs), archiveRefs }] : []),
  ]);
}

/** A mirror lies beside the diffs. */
const mirrorOf = (repository: Repository, mirror: readonly string[], lfs: boolean): Repository => ({
  ...repository,
  destination: `${repository.destination}.git`,
  mirror,
  lfs,
});

function parseList(name: string, text: string): unknown[] {
  const shape = `${name} must be a JSON array such as [{"gitRepo":"https://host/name.git","parameterName":"/git-diff/name","resultsBucket":"bucket/name"}]`;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // Not with the parser's message. It quotes the text, which is a token if somebody mixed up the variables.
    throw new ConfigError([`${shape}; it is not JSON (its value is not shown).`]);
  }
  if (!Array.isArray(list) || list.length === 0)
    throw new ConfigError([`${shape}, with at least one entry.`]);
  return list;
}

type Parse = typeof parseCredentials;
type CheckedKey = Exclude<keyof Entry, "collect" | "refs" | "lfs" | "archiveRefs">;

/** Reads one entry, and adds its mistakes to `problems`. @param nameOf returns how a message names a key */
function readEntry(
  entry: Entry,
  nameOf: (key: CheckedKey) => string,
  environment: Environment,
  parse: Parse,
  problems: string[],
): Repository | undefined {
  const before = problems.length;
  const check = (key: CheckedKey, problem: string | undefined) => {
    if (problem) problems.push(`${nameOf(key)} ${problem}`);
  };
  const { gitRepo, gitBranch: branch, parameterName: cursor, gitHttpCredentials } = entry;
  const location = parseLocation(gitRepo);
  if ("problem" in location) check("gitRepo", location.problem);
  check("gitBranch", branch === undefined ? undefined : branchProblem(branch));
  check("parameterName", parameterProblem(cursor));
  const destination = entry.resultsBucket.replace(/\/+$/, "");
  check("resultsBucket", destinationProblem(destination));
  let credentials: Configured;
  if (gitHttpCredentials !== undefined) {
    const value = environment[gitHttpCredentials];
    if (value === undefined) {
      check("gitHttpCredentials", missingCredentials(gitHttpCredentials));
    } else {
      const parsed = parse(gitHttpCredentials, value);
      if (typeof parsed === "string") problems.push(parsed);
      else credentials = parsed;
    }
  }
  if (problems.length > before || "problem" in location) return undefined;
  return { location, branch, cursor, destination, credentials };
}

/** The value is shown only if it looks like a variable's name. It may be the credentials themselves, by mistake. */
const missingCredentials = (name: string): string =>
  /^[A-Z_][A-Z0-9_]*$/.test(name)
    ? `names the variable ${name}, which is not set: set it to user:password, or to - for none.`
    : "must be the name of the variable that holds the credentials, such as GITHUB (its value is not shown).";

/** Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html */
function parameterProblem(name: string): string | undefined {
  if (name === "") return "is missing: name the SSM parameter that holds the cursor, such as /git-diff/api.";
  if (/^[\w./-]{1,1011}$/.test(name)) return undefined;
  // Parameter Store reads a parameter by its ARN, and does not write it.
  const [, path] = /^arn:[^:]+:ssm:[^:]*:\d*:parameter(\/.+)$/.exec(name) ?? [];
  if (path) return `is an ARN: name the parameter itself, "${path}".`;
  return `is "${name}": the name of an SSM parameter has only letters, digits and . _ - /.`;
}

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
function destinationProblem(destination: string): string | undefined {
  if (destination === "")
    return "is missing: name the bucket for the diffs, such as my-bucket or my-bucket/prefix.";
  const [bucket = "", ...prefix] = destination.split("/");
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    return `is "${destination}": it must be bucket or bucket/prefix. The name of a bucket has 3 to 63 lower-case letters, digits, dots and hyphens.`;
  }
  if (prefix.some((part) => part === "" || part === "." || part === "..")) {
    return `is "${destination}": a part of the prefix is empty, . or ..`;
  }
}

const duplicateProblems = (name: string, key: string, values: readonly string[]): string[] =>
  [...new Set(duplicateIndexes(values).map((index) => values[index]))].map(
    (value) => `${name} has the ${key} "${value}" twice: every repository needs one of its own.`,
  );
