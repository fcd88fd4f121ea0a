import { StoreError } from "../lib/errors.ts";
import type { ObjectStore, VersionedText } from "../stores/stores.ts";
import { isRecordName, parseRecord, recordName, recordPrefix, type StepRecord } from "./record.ts";

/** What the records of every kind of chain have. */
export interface ChainRecord {
  readonly number: number;
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly owner: string;
  readonly claimed: string;
  readonly leaseSeconds?: number | undefined;
}

/** A record as it was last read or written. Its ETag is the condition for the next write. */
export interface Versioned<R extends ChainRecord = StepRecord> {
  readonly record: R;
  readonly etag: string;
}

/** @throws StoreError if the record cannot be read, or is none of this version */
export async function readRecord(objects: ObjectStore, number: number): Promise<Versioned | undefined> {
  return readRecordBy(parseRecord, objects, number);
}

/** Reads a record of another kind of chain. @throws StoreError as above */
export async function readRecordBy<R extends ChainRecord>(
  parse: (text: string) => R,
  objects: ObjectStore,
  number: number,
): Promise<Versioned<R> | undefined> {
  const name = recordName(number);
  return toVersioned(parse, objects, name, await objects.get(name));
}

/** Reads the record with the highest number. @throws StoreError as above */
export async function readLastRecord(objects: ObjectStore): Promise<Versioned | undefined> {
  let last: string | undefined;
  for await (const { name } of objects.list(recordPrefix)) if (isRecordName(name)) last = name;
  return last === undefined ? undefined : toVersioned(parseRecord, objects, last, await objects.get(last));
}

/**
 * Creates a record (no `etag`), or changes the one with this ETag.
 * @returns undefined if another run did so first
 * @throws StoreError
 */
export async function writeRecord<R extends ChainRecord>(
  objects: ObjectStore,
  record: R,
  etag: string | undefined,
): Promise<Versioned<R> | undefined> {
  const name = recordName(record.number);
  const text = `${JSON.stringify(record)}\n`;
  const written = await objects.putIf(name, text, etag, {
    contentType: "application/json",
    metadata: { from: record.from, to: record.to, kind: record.kind },
  });
  if (written !== undefined) return { record, etag: written };
  // A write is sent again after its answer was lost, and then finds its own first attempt.
  const stored = await objects.get(name);
  return stored?.text === text ? { record, etag: stored.etag } : undefined;
}

function toVersioned<R extends ChainRecord>(
  parse: (text: string) => R,
  objects: ObjectStore,
  name: string,
  stored: VersionedText | undefined,
): Versioned<R> | undefined {
  if (stored === undefined) return undefined;
  try {
    return { record: parse(stored.text), etag: stored.etag };
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, " ").slice(0, 200);
    throw new StoreError(
      "record-invalid",
      `${objects.address(name)} is no step record of this version: ${reason}.`,
      "Restore it from the bucket's versions; verify shows more.",
      { cause: error },
    );
  }
}
