import type { PackIndex } from "../git/pack-index.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { readIndex } from "./closure.ts";

export interface NamedIndex {
  readonly name: string;
  readonly index: PackIndex;
}

/** The indexes of a mirror's packs, which are read once a step needs them. */
export interface Indexes {
  /** Those of the packs that were published before the step, newest first. @throws StoreError */
  published(): Promise<readonly PackIndex[]>;
  /** Adds that of the step's own pack. */
  add(index: NamedIndex): void;
  /** All of them, newest first. @throws StoreError */
  all(): Promise<readonly NamedIndex[]>;
}

const readAtOnce = 8;

export function openIndexes(objects: ObjectStore, packs: readonly string[]): Indexes {
  let reading: Promise<readonly PackIndex[]> | undefined;
  const added: NamedIndex[] = [];
  const readAll = async () => {
    const indexes = await inParallel(packs, readAtOnce, (name) => readIndex(objects, name));
    // Of the pieces that they came in. Bun alone would let the memory grow.
    Bun.gc(true);
    return indexes;
  };
  const published = () => (reading ??= readAll());
  return {
    published,
    add: (index) => void added.unshift(index),
    async all() {
      const indexes = await published();
      return [
        ...added,
        ...packs.flatMap((name, place) => {
          const index = indexes[place];
          return index ? [{ name, index }] : [];
        }),
      ];
    },
  };
}
