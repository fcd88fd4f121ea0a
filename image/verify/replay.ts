import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CompleteStep } from "../chain/record.ts";
import { openRemote } from "../fetch/remote.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { Finding } from "./finding.ts";
import { openScratch } from "./index-tree.ts";
import { openWalk } from "./replay-chain.ts";

export interface Replay {
  readonly findings: readonly Finding[];
  /** How many steps led to the tree that their record names. */
  readonly steps: number;
}

interface Options {
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/**
 * Applies the diffs in their order to a scratch tree, and compares its id with those in the records.
 * @param sound the diffs that are what was stored; a replay does not go over others
 * @throws StoreError
 */
export async function replay(
  steps: readonly CompleteStep[],
  sound: ReadonlySet<string>,
  objects: ObjectStore,
  { signal, onProgress }: Options,
): Promise<Replay> {
  const folder = await mkdtemp(join(tmpdir(), "git-diff-"));
  const location = { url: "file:///nowhere", transport: "file" } as const;
  const nowhere = { location, branch: undefined, cursor: "", place: "", credentials: undefined };
  const remote = openRemote(nowhere, join(folder, "repository.git"), signal, () => {});
  try {
    await remote.reset();
    const walk = openWalk(openScratch(remote));
    const diffs = readAhead(steps, sound, objects);
    for (const [index, step] of steps.entries()) {
      onProgress(`Replaying: ${index + 1} of ${steps.length}`);
      await walk.take(step, diffs(index));
    }
    return { findings: walk.findings(), steps: walk.replayed() };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** So many diffs are asked for before it is their turn, where they are small enough to wait in memory. */
const ahead = 16;
const smallBytes = 256 * 1024;

/** Gives the diff of each step in turn; undefined where there is none, or none that is sound. */
function readAhead(steps: readonly CompleteStep[], sound: ReadonlySet<string>, objects: ObjectStore) {
  const asked = new Map<number, Promise<Uint8Array[]>>();
  const nameOf = (index: number) => {
    const name = steps[index]?.diff;
    return name && sound.has(name) ? name : undefined;
  };
  return (index: number): (() => AsyncIterable<Uint8Array>) | undefined => {
    for (let next = index; next < index + ahead; next++) {
      const [name, bytes] = [nameOf(next), steps[next]?.bytes];
      if (name === undefined || asked.has(next) || (bytes ?? smallBytes) >= smallBytes) continue;
      const reading = Array.fromAsync(objects.read(name));
      // It is told when its turn comes.
      reading.catch(() => {});
      asked.set(next, reading);
    }
    const [name, reading] = [nameOf(index), asked.get(index)];
    asked.delete(index);
    if (name === undefined) return undefined;
    return async function* () {
      yield* (await reading) ?? objects.read(name);
    };
  };
}
