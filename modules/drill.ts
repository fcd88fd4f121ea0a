import type { Collection } from "./collection.ts";
import { hasMirror } from "./repository.ts";

/** What stands behind the name of a collection in that of its drill. */
export const drillSuffix = "-drill";

/**
 * Returns the drill of a collection: one of its own, which verifies the mirrors instead of collecting them. So it has a role
 * that cannot write, and a log and an alarm that do not take a drill for a run. Undefined where none is configured.
 */
export function drillOf(collection: Collection, lockDays: number | undefined): Collection | undefined {
  const { drill, name, repositories } = collection;
  const mirrored = repositories.filter(hasMirror);
  if (drill === undefined || mirrored.length === 0) return undefined;
  return {
    ...collection,
    name: `${name}${drillSuffix}`,
    schedule: drill.schedule,
    // Neither diffs nor what signs in to a host. Nothing starts it but its schedule.
    onPush: false,
    repositories: mirrored.map(({ credentials: _, ...repository }) => ({
      ...repository,
      collect: ["mirror"],
    })),
    command: [
      "verify",
      "--replay",
      ...(drill.parts > 1 ? ["--part", `next/${drill.parts}`] : []),
      ...(lockDays === undefined ? [] : ["--lock-days", `${lockDays}`]),
    ],
  };
}
