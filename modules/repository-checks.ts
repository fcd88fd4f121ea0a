import { type Entry, type Keys, namedObjects, type Problem } from "./configured-keys.ts";
import { credentialOf } from "./credentials.ts";
import { pushedRepositories } from "./pushed-repositories.ts";
import type { Repository } from "./repository.ts";
import { reservedNames } from "./results.ts";

/** The tables and the results of queries lie beside the repositories. */
export function checkReserved(entries: readonly Entry[]): Problem[] {
  return entries.flatMap(({ repository: { name }, path }) => {
    const [first = ""] = name.split("/");
    if (!reservedNames.includes(first)) return [];
    const message = `would store its results among those of the tables, in "${first}/"; use another name`;
    return [{ path: [...path, "name"], message }];
  });
}

export function checkNesting(entries: readonly Entry[]): Problem[] {
  const names = new Set(entries.map(({ repository }) => repository.name));
  return entries.flatMap(({ repository: { name }, path }) => {
    const parts = name.split("/");
    const parents = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
    const parent = parents.find((candidate) => names.has(candidate));
    if (!parent) return [];
    const message = `would store its diffs among those of "${parent}"; use another name`;
    return [{ path: [...path, "name"], message }];
  });
}

/** Only CodeCommit tells EventBridge of pushes, in its own region. */
export function checkPushes(keys: Keys): Problem[] {
  const { region = "" } = keys;
  const hasSome = (list: unknown): boolean =>
    namedObjects(list as readonly Repository[]).some(
      ([, repository]) =>
        (repository.url === undefined || URL.canParse(repository.url)) &&
        pushedRepositories([repository], region).length > 0,
    );
  const message = `has no effect without a repository in CodeCommit in ${region}; remove it, and let the host's CI call the command of the output run_now`;
  const listed = namedObjects(keys.collections);
  const lists =
    keys.collections === undefined ? [keys.repositories] : listed.map(([, one]) => one.repositories);
  return [
    ...(keys.onPush === true && !lists.some(hasSome) ? [{ path: ["onPush"], message }] : []),
    ...listed.flatMap(([index, one]) =>
      one.onPush === true && !hasSome(one.repositories)
        ? [{ path: ["collections", index, "onPush"], message }]
        : [],
    ),
  ];
}

export function checkCodeCommit({ repository, path }: Entry): Problem[] {
  const { name, url, create, credentials } = repository;
  if (url !== undefined) {
    const message =
      "creates a repository in CodeCommit, but url refers to another one; remove one of the two";
    return create ? [{ path: [...path, "create"], message }] : [];
  }
  const problems: Problem[] = [];
  if (!/^[\w.-]+$/.test(name) || name.endsWith(".git")) {
    const message =
      'is not a valid CodeCommit name, and without a url the repository is in CodeCommit; add the url, or use a name without "/" and ".git"';
    problems.push({ path: [...path, "name"], message });
  }
  if (credentials) {
    const message = "has no effect for CodeCommit, which the worker signs in to with its role; remove it";
    problems.push({ path: [...path, "credentials"], message });
  }
  return problems;
}

/** Two credentials must not share an environment variable. */
export function checkVariables(entries: readonly Entry[]): Problem[] {
  const keys = new Map<string, string>();
  return entries.flatMap(({ repository, path }) => {
    if (repository.url !== undefined && !URL.canParse(repository.url)) return [];
    const credential = credentialOf(repository);
    if (!credential) return [];
    const { variable, key } = credential;
    const first = keys.get(variable) ?? key;
    keys.set(variable, first);
    if (first === key) return [];
    const remedy = /^arn:/.test(key)
      ? "give one of the two secrets another name"
      : 'use the other one of "host" and "repository"';
    const message = `would use the variable ${variable}, which the credentials of "${first}" use already; ${remedy}`;
    return [{ path: [...path, "credentials"], message }];
  });
}
