import { enoughDays } from "../config/lock-days.ts";
import { StoreError } from "../lib/errors.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, note } from "./finding.ts";
import { indexName, packName } from "./mirror-packs.ts";
import { type OnProgress, readsAtOnce } from "./read-chain.ts";

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
    "Extend the locks before then: verify --lock-days.",
  );
}

/**
 * Locks every object of a mirror until the end of the day in so many days, except where half of that is left. All of them, in each
 * part: past states need old packs, and a part that cannot be read must not keep the locks of others from being extended.
 * @throws StoreError where one cannot be locked
 */
export async function extendLocks(
  objects: ObjectStore,
  lockDays: number,
  onProgress: OnProgress,
): Promise<Finding | undefined> {
  const extend = objects.extendLock;
  if (extend === undefined) throw noLocks(objects.address(""));
  const names: string[] = [];
  for await (const { name } of objects.list("")) names.push(name);
  const now = Date.now();
  const enough = new Date(now + enoughDays(lockDays) * day);
  // To the end of a day, so that runs at the same time do not shorten each other's locks, which S3 refuses.
  const until = new Date((Math.floor(now / day) + lockDays + 1) * day);
  let done = 0;
  const ends = await inParallel(names, readsAtOnce, async (name) => {
    const end = await extend(name, enough, until);
    onProgress(`Extending locks: ${++done} of ${names.length}`);
    return { name, end };
  });
  const [first] = ends.toSorted((a, b) => a.end.getTime() - b.end.getTime());
  if (first === undefined) return undefined;
  const extended = ends.filter(({ end }) => end.getTime() === until.getTime()).length;
  return note(
    "locks-extended",
    first.name,
    `All ${names.length} objects are locked, ${extended} of them until ${until.toISOString()}. The first lock to end is that of ${first.name}, at ${first.end.toISOString()}.`,
    "Nothing, if locks are extended again before then.",
  );
}

const day = 86_400_000;

const noLocks = (address: string) =>
  new StoreError(
    "store-unlocked",
    `${address} is in a folder, which has no Object Lock.`,
    "Leave out --lock-days.",
  );
