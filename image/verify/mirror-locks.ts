import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, note } from "./finding.ts";
import { indexName, packName } from "./mirror-packs.ts";
import { readsAtOnce } from "./read-chain.ts";

/** Reports which Object Lock ends first, of the newest state's packs. Undefined where nothing is locked. @throws StoreError */
export async function checkLocks(
  objects: ObjectStore,
  packs: readonly string[],
): Promise<Finding | undefined> {
  const names = packs.flatMap((name) => [packName(name), indexName(name)]);
  const ends = await inParallel(names, readsAtOnce, async (name) => ({
    name,
    until: await objects.lockedUntil?.(name),
  }));
  const locked = ends.flatMap(({ name, until }) => (until ? [{ name, until }] : []));
  const [first] = locked.sort((a, b) => a.until.getTime() - b.until.getTime());
  if (first === undefined) return undefined;
  const unlocked = names.length - locked.length;
  const others = unlocked > 0 ? ` ${unlocked} of the ${names.length} objects have no lock.` : "";
  return note(
    "lock-ends",
    first.name,
    `The Object Lock of ${first.name} ends at ${first.until.toISOString()}, the first of all that the newest state needs.${others}`,
    "Extend the locks before then: aws s3api put-object-retention, for each object of objects/pack/ and _steps/.",
  );
}
