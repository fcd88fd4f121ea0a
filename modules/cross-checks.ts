import { lockDaysFor } from "../image/config/lock-days.ts";
import { archivePrefix } from "../image/config/repository.ts";
import { duplicateIndexes } from "../image/lib/duplicates.ts";
import { collectionDefaults } from "./collection.ts";
import { credentialOf } from "./credentials.ts";
import { drillSuffix } from "./drill.ts";
import { validateBuild } from "./ecr.ts";
import { validateSize } from "./fargate-size.ts";
import { pushedRepositories } from "./pushed-repositories.ts";
import type { Repository } from "./repository.ts";
import { reservedNames } from "./results.ts";
import { validateExpression } from "./schedule-expression.ts";
import { longestGapHours } from "./schedule-gap.ts";

interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
}

/** The keys that can contradict each other. Each may be missing or have a wrong type, which is reported elsewhere. */
interface Keys {
  readonly [key: string]: unknown;
  readonly region?: string;
  readonly image?: string;
  readonly kmsKey?: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly tags?: Readonly<Record<string, unknown>>;
  readonly repositories?: readonly Repository[];
  readonly name?: string;
  readonly lockDays?: number;
  readonly resultRetentionDays?: number;
  readonly drill?: Drill;
  readonly onPush?: boolean;
  readonly flexibleWindowMinutes?: number;
  readonly collections?: readonly {
    readonly name: string;
    readonly cpu?: number;
    readonly memory?: number;
    readonly drill?: Drill;
    readonly onPush?: boolean;
    readonly flexibleWindowMinutes?: number;
    readonly repositories: readonly Repository[];
  }[];
}

type Drill = { readonly schedule?: string } | undefined;

/** Checks values that are valid by themselves, but not together. */
export function crossChecks(keys: Keys): Problem[] {
  const entries = listEntries(keys);
  return [
    ...checkForm(keys),
    ...checkSizes(keys),
    ...checkExclusive(keys),
    ...checkAddresses(keys),
    ...checkTags(keys),
    ...checkRegions(keys),
    ...checkBuild(keys),
    ...checkDuplicates(
      namedObjects(keys.collections).map(([index, { name }]) => ({
        name,
        path: ["collections", index, "name"],
      })),
    ),
    ...checkDuplicates(
      entries.map(({ repository, path }) => ({ name: repository.name, path: [...path, "name"] })),
    ),
    ...checkReserved(entries),
    ...checkNesting(entries),
    ...checkMirrors(entries),
    ...checkLock(keys, entries),
    ...checkDrills(keys),
    ...checkPushes(keys),
    ...entries.flatMap(checkCodeCommit),
    ...checkVariables(entries),
  ];
}

/** A repository, and where it is in the configuration. */
interface Entry {
  readonly repository: Repository;
  readonly path: (string | number)[];
}

function listEntries({ repositories, collections }: Keys): Entry[] {
  const entriesAt = (path: (string | number)[], list: readonly Repository[] | undefined) =>
    namedObjects(list).map(([index, repository]) => ({ repository, path: [...path, index] }));
  return [
    ...entriesAt(["repositories"], repositories),
    ...namedObjects(collections).flatMap(([index, collection]) =>
      entriesAt(["collections", index, "repositories"], collection.repositories),
    ),
  ];
}

/** The objects with a name in a value that should be a list of them, each with its index. */
function namedObjects<T extends { readonly name: string }>(value: readonly T[] | undefined): [number, T][] {
  return Array.isArray(value)
    ? [...value.entries()].filter(([, item]) => typeof item?.name === "string")
    : [];
}

function checkForm(keys: Keys): Problem[] {
  if (keys.collections === undefined) {
    const message =
      'is required; write [{ "name": "api", "url": "https://github.com/acme/api.git" }], or use collections';
    return keys.repositories === undefined ? [{ path: ["repositories"], message }] : [];
  }
  const message = "cannot be combined with collections, which each have their own; move it into a collection";
  const empty = Array.isArray(keys.collections) && keys.collections.length === 0;
  return [
    ...(keys.repositories === undefined ? [] : [{ path: ["repositories"], message }]),
    ...(empty
      ? [{ path: ["collections"], message: "is empty; add a collection, or use repositories instead" }]
      : []),
  ];
}

/** Keys of which only one can have an effect. */
const exclusive = [
  ["vpc", "network", "is a VPC to be created, which network replaces"],
  ["accessLogs", "bucket", "is for a bucket to be created, which bucket replaces"],
  ["resultRetentionDays", "bucket", "is for a bucket to be created, which bucket replaces"],
] as const;

function checkExclusive(keys: Keys): Problem[] {
  return exclusive.flatMap(([key, other, what]) =>
    keys[key] === undefined || keys[other] === undefined
      ? []
      : [{ path: [key], message: `${what}; remove one of the two` }],
  );
}

/** The resource of a subscription is named by its address, but for the signs that names cannot have. */
function checkAddresses({ alarms }: Keys): Problem[] {
  if (!Array.isArray(alarms)) return [];
  const names = alarms.map((address) => String(address).replace(/[^A-Za-z0-9_-]/g, "_"));
  return duplicateIndexes(names).flatMap((index) => {
    const first = names.indexOf(names[index] ?? "");
    // What is there twice is reported elsewhere.
    if (alarms[first] === alarms[index]) return [];
    const message = `differs from alarms[${first}] only in punctuation, which the names of two resources cannot show; remove it, and subscribe it with the command that deploy prints`;
    return [{ path: ["alarms", index], message }];
  });
}

/** Checks the size of each collection's task: its own, or the one that all share. */
function checkSizes(keys: Keys): Problem[] {
  const { cpu = collectionDefaults.cpu, memory = collectionDefaults.memory } = keys;
  const own = namedObjects(keys.collections).filter(([, one]) => (one.cpu ?? one.memory) !== undefined);
  return [
    ...checkSize([], cpu, memory),
    ...own.flatMap(([index, one]) => checkSize(["collections", index], one.cpu ?? cpu, one.memory ?? memory)),
  ];
}

function checkSize(path: readonly (string | number)[], cpu: unknown, memory: unknown): Problem[] {
  if (typeof cpu !== "number" || typeof memory !== "number") return [];
  const problem = validateSize(cpu, memory);
  return problem ? [{ path: [...path, problem.key], message: problem.message }] : [];
}

// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
const TAGS = 50;
/** What the stack adds: the first to everything, the second to parts of the network. */
const ownTags = ["git-diff-to-s3", "Name"];

function checkTags({ tags }: Keys): Problem[] {
  if (typeof tags !== "object" || tags === null) return [];
  const keys = Object.keys(tags);
  const all = new Set([...ownTags, ...keys]);
  const surplus = all.size - TAGS;
  // IAM compares keys without regard to case: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
  const alike = duplicateIndexes([...all].map((key) => key.toLowerCase())).map((index) => [...all][index]);
  const many = `has ${keys.length} tags; AWS allows ${TAGS} a resource, of which the stack uses two; remove ${surplus}`;
  return [
    ...(surplus > 0 ? [{ path: ["tags"], message: many }] : []),
    ...alike.map((key = "") => ({
      path: ["tags", key],
      message: "differs only in case from another tag, which IAM refuses; use another key",
    })),
  ];
}

/** Keys whose ARN has to be of the stack's region. */
const regional = [
  ["kmsKey", "a key"],
  ["alarms", "a topic"],
] as const;

function checkRegions(keys: Keys): Problem[] {
  const { region } = keys;
  return regional.flatMap(([key, what]) => {
    const other = /^arn:[^:]*:(?:kms|sns):([^:]+):/.exec(String(keys[key]))?.[1];
    if (typeof region !== "string" || other === undefined || other === region) return [];
    const message = `is ${what} of ${other}, which resources in ${region} cannot use; use ${what} of ${region}`;
    return [{ path: [key], message }];
  });
}

function checkBuild({ region, image = "build" }: Keys): Problem[] {
  const message = validateBuild(String(region), image);
  return message ? [{ path: ["image"], message }] : [];
}

function checkDuplicates(named: readonly { name: string; path: (string | number)[] }[]): Problem[] {
  return duplicateIndexes(named.map(({ name }) => name)).map((index) => ({
    path: named[index]?.path ?? [],
    message: "is used twice; use a unique name",
  }));
}

/** The tables and the results of queries lie beside the repositories. */
function checkReserved(entries: readonly Entry[]): Problem[] {
  return entries.flatMap(({ repository: { name }, path }) => {
    const [first = ""] = name.split("/");
    if (!reservedNames.includes(first)) return [];
    const message = `would store its results among those of the tables, in "${first}/"; use another name`;
    return [{ path: [...path, "name"], message }];
  });
}

function checkNesting(entries: readonly Entry[]): Problem[] {
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

/** A mirror lies beside the diffs, in `<name>.git/`. */
function checkMirrors(entries: readonly Entry[]): Problem[] {
  const mirrored = new Set(
    entries
      .filter(({ repository }) => isMirrored(repository))
      .map(({ repository }) => `${repository.name}.git`),
  );
  return entries.flatMap(({ repository, path }) => {
    const { name, refs, lfs, archiveRefs } = repository;
    const parts = name.split("/");
    const taken = parts
      .map((_, index) => parts.slice(0, index + 1).join("/"))
      .find((one) => mirrored.has(one));
    const inMirror = `would store its results in the mirror of "${taken?.replace(/\.git$/, "")}"; use another name`;
    const ownArchive = `would keep refs below ${archivePrefix}, which refs has of the host; remove one of the two`;
    const noMirror = 'has no effect without a mirror; add "collect": ["diffs", "mirror"], or remove it';
    return [
      ...(taken ? [{ path: [...path, "name"], message: inMirror }] : []),
      ...(refs && !isMirrored(repository) ? [{ path: [...path, "refs"], message: noMirror }] : []),
      ...(archiveRefs === true && isList(refs) && refs.some((ref) => String(ref).startsWith(archivePrefix))
        ? [{ path: [...path, "archiveRefs"], message: ownArchive }]
        : []),
      ...(archiveRefs !== undefined && !isMirrored(repository)
        ? [{ path: [...path, "archiveRefs"], message: noMirror }]
        : []),
      ...(lfs !== undefined && !isMirrored(repository)
        ? [{ path: [...path, "lfs"], message: noMirror }]
        : []),
    ];
  });
}

function checkLock(keys: Keys, entries: readonly Entry[]): Problem[] {
  const { lockDays, resultRetentionDays, bucket } = keys;
  if (typeof lockDays !== "number") return [];
  const path = ["lockDays"];
  const noDrill = drilled(keys).filter(({ drill, mirrored }) => mirrored && drill === undefined);
  const ends = `ends while mirrors still need what it locks; add "drill": { "schedule": "cron(0 6 * * ? *)", "parts": 7 }${noDrill[0]?.name === undefined ? "" : ` to the collection "${noDrill[0].name}", or beside it`}`;
  const foreign =
    "is for a bucket to be created, which bucket replaces, or for mirrors, of which there are none; have its owner lock the bucket, and remove it";
  const longer = `is longer than resultRetentionDays, but S3 deletes nothing that is locked; use at most ${resultRetentionDays}, or remove one of the two`;
  return [
    ...(noDrill.length > 0 ? [{ path, message: ends }] : []),
    ...(bucket !== undefined && !entries.some(({ repository }) => isMirrored(repository))
      ? [{ path, message: foreign }]
      : []),
    ...(typeof resultRetentionDays === "number" && resultRetentionDays < lockDays
      ? [{ path, message: longer }]
      : []),
  ];
}

interface Drilled {
  readonly name: string | undefined;
  readonly drill: Drill;
  /** Where the drill is configured. */
  readonly path: (string | number)[];
  readonly mirrored: boolean;
  readonly windowMinutes: number;
}

/** Every collection, and the drill that applies to it. */
function drilled(keys: Keys): Drilled[] {
  const listed = namedObjects(keys.collections);
  const all =
    keys.collections === undefined
      ? [{ path: [], one: { ...keys, name: undefined } }]
      : listed.map(([index, one]) => ({ path: ["collections", index], one }));
  return all.map(({ path, one }) => ({
    name: one.name,
    drill: one.drill ?? keys.drill,
    path: [...(one.drill === undefined ? [] : path), "drill"],
    mirrored: namedObjects(one.repositories).some(([, repository]) => isMirrored(repository)),
    windowMinutes: Number(one.flexibleWindowMinutes ?? keys.flexibleWindowMinutes) || 0,
  }));
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: a role's name has at most 64 characters.
const NAMES = 64 - "-".length - `${drillSuffix}-execution`.length;

function checkDrills(keys: Keys): Problem[] {
  const all = drilled(keys);
  const taken = new Set(all.map(({ name }) => name));
  const noMirror = 'has no effect without a mirror; add "collect": ["diffs", "mirror"], or remove it';
  return all.flatMap(({ name, drill, path, mirrored, windowMinutes }) => {
    if (drill === undefined) return [];
    // One for all collections concerns only those that have a mirror, if any does.
    if (!mirrored)
      return path.length > 1 || !all.some((one) => one.mirrored) ? [{ path, message: noMirror }] : [];
    const stack = typeof keys.name === "string" ? keys.name : "git-diff";
    const length = stack.length + (name ?? "").length;
    const message = `would have a role with a name of more than 64 characters; use at most ${NAMES} for "${stack}" and "${name}" together`;
    const other = `would have the name of the collection "${name}${drillSuffix}"; rename that one`;
    return [
      ...checkInterval(keys, drill, path, windowMinutes),
      ...(length > NAMES ? [{ path, message }] : []),
      ...(name !== undefined && taken.has(name + drillSuffix) ? [{ path, message: other }] : []),
    ];
  });
}

/** Drills must follow each other so closely that one extends each lock in time, with a day in hand. */
function checkInterval(
  { lockDays }: Keys,
  { schedule }: NonNullable<Drill>,
  path: readonly (string | number)[],
  windowMinutes: number,
): Problem[] {
  if (typeof lockDays !== "number" || typeof schedule !== "string" || validateExpression(schedule)) return [];
  const gap = longestGapHours(schedule);
  const hours = gap === undefined ? undefined : gap + Math.ceil(windowMinutes / 60);
  const needed = hours === undefined ? undefined : Math.ceil(lockDaysFor(hours / 24 + 1));
  if (needed !== undefined && needed <= lockDays) return [];
  const message =
    hours === undefined
      ? "may leave so much time between two drills that locks end; use rate(1 day), or a cron without L, W, # and a year"
      : `leaves up to ${hours} hours between two drills, each of which extends the locks with less than half of ${lockDays} days left; a day in hand included, use a lockDays of at least ${needed}, or a closer schedule`;
  return [{ path: [...path, "schedule"], message }];
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Whatever type `collect` has: that is reported elsewhere. */
const isMirrored = ({ collect }: Repository): boolean => Array.isArray(collect) && collect.includes("mirror");

/** Only CodeCommit tells EventBridge of pushes, in its own region. */
function checkPushes(keys: Keys): Problem[] {
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

function checkCodeCommit({ repository, path }: Entry): Problem[] {
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
function checkVariables(entries: readonly Entry[]): Problem[] {
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
