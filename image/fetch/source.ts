import { setImmediate } from "node:timers/promises";
import { indexPack, type StoredPack } from "../git/index-pack.ts";
import type { ObjectReader } from "../git/objects.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import type { Connection, FetchAnswer, FetchRequest } from "../host/connection.ts";
import { settleAll } from "../lib/settle.ts";

/** A repository to fetch from: the connection to its host, and the scratch repository for what is fetched. */
export interface Source {
  readonly connection: Connection;
  readonly scratch: ScratchRepository;
  /** In bytes, for each pack. */
  readonly maxPackBytes: number;
  /** Whether the `.mailmap` is fetched too. Rows of commits need it, a diff does not. */
  readonly mailmap: boolean;
  readonly onProgress: ((line: string) => void) | undefined;
}

/** A source during one attempt to fetch a step. */
export interface Attempt extends Source {
  readonly objects: ObjectReader;
  /** Receives the size of each pack. */
  readonly onPack: (bytes: number) => void;
}

export interface Received {
  readonly shallow: readonly string[];
  readonly unshallow: readonly string[];
  readonly pack: StoredPack;
}

/** Fetches a pack into the scratch repository. @throws GitError, LimitError */
export async function receive(
  { connection, scratch, maxPackBytes, onProgress, onPack }: Attempt,
  request: FetchRequest,
): Promise<Received> {
  const answer = connection.fetch(request, scratch.signal);
  answer.catch(() => {}); // Thrown below.
  // The request leaves first. Then git starts, while the host prepares its answer.
  await setImmediate();
  const pack = indexPack(packOf(answer), scratch, maxPackBytes, onProgress);
  const [{ shallow, unshallow }, stored] = await settleAll(answer, pack);
  onPack(stored.bytes);
  return { shallow, unshallow, pack: stored };
}

async function* packOf(answer: Promise<FetchAnswer>): AsyncGenerator<Uint8Array> {
  yield* (await answer).pack;
}
