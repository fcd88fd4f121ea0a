import { readRecordBy } from "../chain/record-store.ts";
import { StoreError } from "../lib/errors.ts";
import { wait } from "../lib/wait.ts";
import { publish, readPublished } from "../mirror/published.ts";
import { parseMirrorRecord } from "../mirror/record.ts";
import type { ObjectStore } from "../stores/stores.ts";

const pauseMilliseconds = 1_000;
/** In a folder, the lock of a process that was killed ends after a minute. */
const mostPauses = 120;

/**
 * Publishes the complete steps of a mirror that are not published yet, one after the other as mirroring does. So a crash
 * leaves nothing that the next import, or the next run of the mirror, would not continue.
 * @throws StoreError
 */
export async function publishMirror(objects: ObjectStore, signal: AbortSignal): Promise<void> {
  for (let pauses = 0; ; ) {
    const published = await readPublished(objects);
    const next = await readRecordBy(parseMirrorRecord, objects, published.cursor.number + 1);
    if (next?.record.state !== "complete") return;
    if (await publish(objects, next.record, published)) continue;
    if (++pauses > mostPauses) throw busy(objects.address(""));
    await wait(pauseMilliseconds, signal);
  }
}

const busy = (address: string) =>
  new StoreError(
    "place-busy",
    `Other processes keep changing ${address}.`,
    "The steps are stored, but not all of them are published. Import the delta again, when nothing else is at work there.",
  );
