import { placeOf } from "./credentials.ts";
import { mistakeInSize } from "./fargate.ts";
import type { Repository } from "./repository.ts";

interface Mistake {
  readonly path: (string | number)[];
  readonly message: string;
}

/** The keys that others can contradict. Each may be missing or of a wrong type, which is reported elsewhere. */
interface Keys {
  readonly [key: string]: unknown;
  readonly region?: string;
  readonly kmsKey?: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly repositories?: readonly Repository[];
  readonly collections?: readonly { readonly name: string; readonly repositories: readonly Repository[] }[];
}

/** What is right by itself and wrong together with something else. */
export function contradictions(keys: Keys): Mistake[] {
  const { cpu = Number.NaN, memory = Number.NaN } = keys;
  const size = mistakeInSize(cpu, memory);
  const repositories = located(keys);
  return [
    ...forms(keys),
    ...(size ? [{ path: [size.key], message: size.message }] : []),
    ...kmsRegion(keys),
    ...twice(
      list(keys.collections).map(({ name }, index) => ({ name, path: ["collections", index, "name"] })),
    ),
    ...twice(
      repositories.map(({ repository, path }) => ({ name: repository.name, path: [...path, "name"] })),
    ),
    ...nested(repositories),
    ...repositories.flatMap(codeCommit),
    ...sharedVariables(repositories),
  ];
}

interface Located {
  readonly repository: Repository;
  readonly path: (string | number)[];
}

function located({ repositories, collections }: Keys): Located[] {
  const at = (path: (string | number)[], some: readonly Repository[] | undefined) =>
    list(some).map((repository, index) => ({ repository, path: [...path, index] }));
  return [
    ...at(["repositories"], repositories),
    ...list(collections).flatMap((one, index) =>
      at(["collections", index, "repositories"], one.repositories),
    ),
  ];
}

/** The objects with a name in what should be a list of them. */
function list<T extends { readonly name: string }>(value: readonly T[] | undefined): readonly T[] {
  return Array.isArray(value) ? value.filter((one) => typeof one?.name === "string") : [];
}

function forms(keys: Keys): Mistake[] {
  if (keys.collections === undefined) {
    const message =
      'names nothing to collect; write [{ "name": "api", "url": "https://github.com/acme/api.git" }]';
    return keys.repositories === undefined ? [{ path: ["repositories"], message }] : [];
  }
  const message = "stands beside collections, which each have their own; move it into a collection";
  const moved = ["repositories", "schedule", "timezone"].filter((key) => keys[key] !== undefined);
  const empty = Array.isArray(keys.collections) && keys.collections.length === 0;
  return [
    ...moved.map((key) => ({ path: [key], message })),
    ...(empty ? [{ path: ["collections"], message: "is empty; write one, or repositories instead" }] : []),
  ];
}

function kmsRegion({ region, kmsKey }: Keys): Mistake[] {
  const other = /^arn:[^:]*:kms:([^:]+):/.exec(String(kmsKey))?.[1];
  if (typeof region !== "string" || other === undefined || other === region) return [];
  return [
    {
      path: ["kmsKey"],
      message: `lies in ${other}, where nothing in ${region} can use it; write a key of ${region}`,
    },
  ];
}

function twice(named: readonly { name: string; path: (string | number)[] }[]): Mistake[] {
  const seen = new Set<string>();
  return named.flatMap(({ name, path }) => {
    if (!seen.has(name)) return seen.add(name) && [];
    return [{ path, message: "is the name of another one too; write a name of its own" }];
  });
}

function nested(repositories: readonly Located[]): Mistake[] {
  const names = new Set(repositories.map(({ repository }) => repository.name));
  return repositories.flatMap(({ repository: { name }, path }) => {
    const parts = name.split("/");
    const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
    const outer = above.find((one) => names.has(one));
    if (!outer) return [];
    return [
      {
        path: [...path, "name"],
        message: `would put its diffs among those of "${outer}"; write another name`,
      },
    ];
  });
}

function codeCommit({ repository, path }: Located): Mistake[] {
  const { name, url, create, credentials } = repository;
  if (url !== undefined) {
    const message =
      "makes a repository in CodeCommit, and url says that it lies elsewhere; remove one of the two";
    return create ? [{ path: [...path, "create"], message }] : [];
  }
  const bad = !/^[\w.-]+$/.test(name) || name.endsWith(".git");
  return [
    ...(bad
      ? [
          {
            path: [...path, "name"],
            message:
              'cannot be a CodeCommit repository, which it is without a url; write the url, or a name without "/" and ".git"',
          },
        ]
      : []),
    ...(credentials
      ? [
          {
            path: [...path, "credentials"],
            message: "is of no use to CodeCommit, which knows the task's role; remove it",
          },
        ]
      : []),
  ];
}

function sharedVariables(repositories: readonly Located[]): Mistake[] {
  const keys = new Map<string, string>();
  return repositories.flatMap(({ repository, path }) => {
    if (repository.url !== undefined && !URL.canParse(repository.url)) return [];
    const place = placeOf(repository);
    if (!place) return [];
    const { variable, key } = place;
    const other = keys.get(variable) ?? key;
    keys.set(variable, other);
    if (other === key) return [];
    const message = `would be handed over as ${variable}, as are those of "${other}"; write the other of "host" and "repository"`;
    return [{ path: [...path, "credentials"], message }];
  });
}
