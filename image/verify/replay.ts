import { join } from "node:path";
import type { CompleteStep } from "../chain/record.ts";
import { makeScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository } from "../git/scratch-repository.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { Finding } from "./finding.ts";
import { openIndexTree } from "./index-tree.ts";
import type { OnProgress } from "./read-chain.ts";
import { replayChain } from "./replay-chain.ts";

export interface Replay {
  readonly findings: readonly Finding[];
  /** The number of steps that led to the tree in their record. */
  readonly steps: number;
}

/**
 * Applies the diffs in their order to an empty tree, and compares the resulting trees with those in the records.
 * @param sound the names of the diffs that are as they were stored; no other diff is applied
 * @throws StoreError, LimitError
 */
export async function replay(
  steps: readonly CompleteStep[],
  sound: ReadonlySet<string>,
  objects: ObjectStore,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: OnProgress },
): Promise<Replay> {
  await using folder = await makeScratchFolder();
  const scratch = openScratchRepository(join(folder.path, "repository.git"), signal);
  await scratch.reset();
  const chain = replayChain(openIndexTree(scratch));
  const diffOf = readAhead(steps, sound, objects);
  for (const [index, step] of steps.entries()) {
    onProgress(`Replaying: ${index + 1} of ${steps.length}`);
    await chain.replay(step, diffOf(index));
  }
  return { findings: chain.findings(), steps: chain.replayed() };
}

/** The number of diffs that are read ahead, and up to which size they wait in memory. */
const ahead = 16;
const smallBytes = 256 * 1024;

/** Returns a function that gives each step's diff in turn; undefined where there is none, or no sound one. */
function readAhead(steps: readonly CompleteStep[], sound: ReadonlySet<string>, objects: ObjectStore) {
  const begun = new Map<number, Promise<Uint8Array[]>>();
  const nameOf = (index: number) => {
    const name = steps[index]?.diff;
    return name && sound.has(name) ? name : undefined;
  };
  return (index: number): (() => AsyncIterable<Uint8Array>) | undefined => {
    for (let next = index; next < index + ahead; next++) {
      const [name, bytes] = [nameOf(next), steps[next]?.bytes];
      if (name === undefined || begun.has(next) || (bytes ?? smallBytes) >= smallBytes) continue;
      const reading = Array.fromAsync(objects.read(name));
      reading.catch(() => {}); // Thrown when its turn comes.
      begun.set(next, reading);
    }
    const [name, reading] = [nameOf(index), begun.get(index)];
    begun.delete(index);
    if (name === undefined) return undefined;
    return async function* () {
      yield* (await reading) ?? objects.read(name);
    };
  };
}
