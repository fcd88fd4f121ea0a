import type { View } from "../chain/decide.ts";
import { recordName, recordPrefix } from "../chain/record.ts";
import { readLastRecord, readRecord, type Versioned } from "../chain/record-store.ts";
import type { Head } from "../fetch/head.ts";
import { GitError } from "../lib/errors.ts";
import { settleAll } from "../lib/settle.ts";
import type { Cursor, ObjectStore } from "../stores/stores.ts";
import type { Context } from "./context.ts";

/** What a run sees of a repository at the beginning of a turn. */
export interface Observation {
  readonly cursor: Cursor | undefined;
  /** The newest record, as far as the run needs it. */
  readonly tail: Versioned | undefined;
  readonly head: Head;
  /** In milliseconds since 1970. */
  readonly now: number;
}

/**
 * How to observe. quick: find the newest record by the cursor's version. thorough: search for it, as another run may have
 * written one. An observation: it still holds, because this run itself wrote its newest record.
 */
export type Look = "quick" | "thorough" | Observation;

/**
 * Observes a repository. Returns "empty" where it has no commit yet and no cursor, and "changed" where the cursor moved
 * meanwhile. @throws GitError, CursorError, StoreError
 */
export async function observe(
  { stores, steps, now: clock }: Context,
  look: Look,
): Promise<Observation | "empty" | "changed"> {
  // Take `now` first: an owner whose lease had expired by then can no longer move the cursor.
  const now = clock();
  if (typeof look === "object") return { ...look, now };
  const cursor = await stores.cursor.read();
  // Then the head. A head from before the cursor could lead back to where another run has just come from.
  const head = look === "quick" ? await steps.readHead() : undefined;
  if (look === "quick") {
    if (head === undefined) return empty(cursor);
    if (cursor && cursor.commit !== head.commit) steps.prefetch({ from: cursor.commit, to: head.commit });
    const tail = await findTail(stores.objects, cursor, head.commit);
    if (tail !== "unclear") return { cursor, tail, head, now };
  }
  const tail = await readLastRecord(stores.objects);
  if (tail === undefined && head) return { cursor, tail, head, now };
  await steps.stopPrefetch();
  // The search takes time. If the cursor moved meanwhile, another run's move would look like a person's. The head must
  // not be older than the newest record.
  const [again, latest = head] = await settleAll(stores.cursor.read(), steps.readHead());
  if (again?.identity !== cursor?.identity) return "changed";
  return latest === undefined ? empty(cursor) : { cursor, tail, head: latest, now };
}

export const toView = ({ settings, isGone }: Context, { cursor, tail, head, now }: Observation): View => ({
  cursor,
  // A claim of a process that is gone has ended.
  tail:
    tail && isGone(tail.record.owner) ? { ...tail.record, claimed: new Date(0).toISOString() } : tail?.record,
  head: head.commit,
  now,
  leaseMilliseconds: settings.leaseSeconds * 1_000,
});

/**
 * Finds the newest record of a chain in order by one request: the cursor's version is its number. There may be a newer
 * one. Then the claim of the next number fails.
 */
async function findTail(
  objects: ObjectStore,
  cursor: Cursor | undefined,
  head: string,
): Promise<Versioned | undefined | "unclear"> {
  if (cursor === undefined || cursor.version === 0) return "unclear";
  if (cursor.commit === head) {
    // With nothing to collect, the usual case, it is enough that no run has claimed a step from here.
    for await (const _ of objects.list(recordPrefix, recordName(cursor.version))) return "unclear";
    return undefined;
  }
  const tail = await readRecord(objects, cursor.version);
  return tail?.record.state === "complete" && tail.record.to === cursor.commit ? tail : "unclear";
}

function empty(cursor: Cursor | undefined): "empty" {
  if (cursor === undefined) return "empty";
  throw new GitError(
    "repository-emptied",
    `The repository has no branch any more, but was collected up to ${cursor.commit}.`,
    "If that is intended, wait for its next commit, which will be a new baseline. Otherwise check the host.",
  );
}
