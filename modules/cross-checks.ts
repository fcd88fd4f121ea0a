import { duplicateIndexes } from "../image/lib/duplicates.ts";
import { collectionDefaults } from "./collection.ts";
import { type Keys, listEntries, namedObjects, type Problem } from "./configured-keys.ts";
import { checkDrills, checkLock } from "./drill-checks.ts";
import { validateBuild } from "./ecr.ts";
import { validateSize } from "./fargate-size.ts";
import { checkMirrors } from "./mirror-checks.ts";
import {
  checkCodeCommit,
  checkNesting,
  checkPushes,
  checkReserved,
  checkVariables,
} from "./repository-checks.ts";

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
