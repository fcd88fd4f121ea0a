import { lockDaysFor } from "../image/config/lock-days.ts";
import {
  type Drill,
  type Entry,
  isMirrored,
  type Keys,
  namedObjects,
  noMirror,
  type Problem,
} from "./configured-keys.ts";
import { drillSuffix } from "./drill.ts";
import { validateExpression } from "./schedule-expression.ts";
import { longestGapHours } from "./schedule-gap.ts";

export function checkLock(keys: Keys, entries: readonly Entry[]): Problem[] {
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

export function checkDrills(keys: Keys): Problem[] {
  const all = drilled(keys);
  const taken = new Set(all.map(({ name }) => name));
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
