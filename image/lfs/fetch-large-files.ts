import { createHash } from "node:crypto";
import { GitError } from "../lib/errors.ts";
import { letTimersRun } from "../lib/let-timers-run.ts";
import { inParallel } from "../lib/parallel.ts";
import { partBytes } from "../stores/s3-upload.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { lacking } from "./lacking.ts";
import { type LargeFile, largeFileName } from "./pointer.ts";

/** Where the large files of a repository are. */
export interface LargeFileSource {
  /**
   * Returns a function that reads a file, for each file that is there, and why it is not for the others, by its SHA-256.
   * @throws GitError where that cannot be found out
   */
  find(files: readonly LargeFile[]): Promise<ReadonlyMap<string, Read | GitError>>;
}

/** Streams a file's content. @throws GitError */
export type Read = () => AsyncIterable<Uint8Array>;

export interface FetchedFiles {
  /** Those that the store has now. */
  readonly stored: readonly LargeFile[];
  /** Why the others cannot be had now, by their SHA-256. */
  readonly reasons: ReadonlyMap<string, string>;
}

/** Servers accept that many files in a request. */
const filesPerRequest = 100;
/** An offer may end after some minutes, so not too much is asked for at a time. */
const bytesPerRequest = 1024 ** 3;
const filesAtOnce = 4;
/** S3 accepts 10,000 parts. */
const largestFileBytes = 10_000 * partBytes;

/**
 * Stores large files, each one only if its content is what its pointer says. Those that are there already are not fetched.
 * @throws StoreError, or the signal's reason
 */
export async function fetchLargeFiles(
  source: LargeFileSource,
  objects: ObjectStore,
  files: readonly LargeFile[],
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Promise<FetchedFiles> {
  const stored: LargeFile[] = [];
  const reasons = new Map<string, string>();
  const fail = (file: LargeFile, error: unknown) => {
    signal.throwIfAborted();
    if (!(error instanceof GitError)) throw error;
    reasons.set(file.oid, error.message);
  };
  const fetchSome = async (some: readonly LargeFile[]) => {
    const there = await inParallel(some, filesAtOnce, (file) => isStored(objects, file));
    stored.push(...some.filter((_, place) => there[place]));
    const wanted = some.filter((_, place) => !there[place]);
    if (wanted.length === 0) return;
    const found = await source.find(wanted);
    await inParallel(wanted, filesAtOnce, async (file) => {
      const read = found.get(file.oid) ?? lacking("The server does not answer for it");
      try {
        if (read instanceof GitError) throw read;
        await store(objects, file, read);
        stored.push(file);
        onProgress?.(`Storing large files: ${stored.length} of ${files.length}`);
      } catch (error) {
        fail(file, error);
      }
    });
  };
  for (const some of portions(files)) {
    try {
      await fetchSome(some);
    } catch (error) {
      // The server refuses the request as a whole, and so the next one.
      const names = new Set(stored.map(nameOf));
      for (const file of files) if (!names.has(nameOf(file))) fail(file, error);
      break;
    }
  }
  for (const { oid } of stored) reasons.delete(oid);
  return { stored, reasons };
}

/** A pointer may name another size than the file's. Another one may be right. */
const nameOf = ({ oid, bytes }: LargeFile) => `${oid} ${bytes}`;

async function isStored(objects: ObjectStore, file: LargeFile): Promise<boolean> {
  const name = largeFileName(file);
  for await (const found of objects.list(name)) if (found.name === name) return found.bytes === file.bytes;
  return false;
}

async function store(objects: ObjectStore, file: LargeFile, read: Read): Promise<void> {
  if (file.bytes > largestFileBytes) throw lacking(`It has more than ${largestFileBytes} bytes`);
  const name = largeFileName(file);
  const details = { contentType: "application/octet-stream", metadata: {} };
  if (await objects.put(name, checked(file, read), details)) return;
  // Another run has stored it meanwhile.
  if (!(await isStored(objects, file))) throw lacking(`${objects.address(name)} is there in another size`);
}

/** Passes a file's content on, and fails unless it is the right one: then nothing is stored. */
async function* checked({ oid, bytes }: LargeFile, read: Read): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  let received = 0;
  for await (const chunk of letTimersRun(read())) {
    received += chunk.length;
    if (received > bytes) throw lacking(`The server sent more than its ${bytes} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (received < bytes) throw lacking(`The server sent ${received} of its ${bytes} bytes`);
  if (hash.digest("hex") !== oid)
    throw lacking("The server sent other content, whose SHA-256 is another one");
}

function* portions(files: readonly LargeFile[]): Generator<LargeFile[]> {
  let [portion, sum]: [LargeFile[], number] = [[], 0];
  for (const file of files) {
    if (portion.length === filesPerRequest || (portion.length > 0 && sum + file.bytes > bytesPerRequest)) {
      yield portion;
      [portion, sum] = [[], 0];
    }
    portion.push(file);
    sum += file.bytes;
  }
  if (portion.length > 0) yield portion;
}
