import {
  compareNames,
  headFile,
  idOfFiles,
  infoRefsLines,
  type MirroredRef,
  type RefChange,
  type State,
} from "./state.ts";

/** A state that changes from step to step, each time for as much work as the step has changes. */
export interface ChangingState {
  /** Makes the changes of a step. */
  apply(step: { readonly head: string; readonly refs: readonly RefChange[] }): void;
  /** Returns what a ref leads to; undefined where there is none of this name. */
  idOf(name: string): string | undefined;
  /** Returns the state as it is now. */
  now(): State;
  /** Returns its id, which takes as much work as it has refs. */
  id(): string;
}

interface Entry {
  ref: MirroredRef;
  lines: string;
  isGone: boolean;
}

/** Begins before anything was mirrored. */
export function changingState(): ChangingState {
  const entries = new Map<string, Entry>();
  let head = "";
  /** By name, but for those that came or went since it was made. */
  let order: Entry[] = [];
  let added: Entry[] = [];
  let isOrdered = true;
  const ordered = (): readonly Entry[] => {
    if (!isOrdered) {
      const isThere = ({ isGone }: Entry) => !isGone;
      order = insert(order.filter(isThere), added.filter(isThere).sort(compare));
      [added, isOrdered] = [[], true];
    }
    return order;
  };
  const remove = (name: string) => {
    const entry = entries.get(name);
    if (entry === undefined) return;
    entry.isGone = true;
    entries.delete(name);
    isOrdered = false;
  };
  const set = (ref: MirroredRef) => {
    const lines = infoRefsLines(ref);
    const entry = entries.get(ref.name);
    if (entry) return void Object.assign(entry, { ref, lines });
    const made = { ref, lines, isGone: false };
    entries.set(ref.name, made);
    added.push(made);
    isOrdered = false;
  };
  return {
    apply(step) {
      head = step.head;
      for (const [name, , id, peeled] of step.refs) {
        if (id === null) remove(name);
        else set({ name, id, peeled });
      }
    },
    idOf: (name) => entries.get(name)?.ref.id,
    now: () => ({ head, refs: ordered().map(({ ref }) => ref) }),
    id: () =>
      idOfFiles(
        headFile({ head }),
        ordered()
          .map(({ lines }) => lines)
          .join(""),
      ),
  };
}

const compare = (a: Entry, b: Entry) => compareNames(a.ref.name, b.ref.name);

/** Inserts sorted entries into others, by few comparisons where they are few. */
function insert(entries: readonly Entry[], others: readonly Entry[]): Entry[] {
  const parts: (readonly Entry[])[] = [];
  let at = 0;
  for (const other of others) {
    let [low, high] = [at, entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(entries[middle] as Entry, other) < 0) low = middle + 1;
      else high = middle;
    }
    parts.push(entries.slice(at, low), [other]);
    at = low;
  }
  return [...parts, entries.slice(at)].flat();
}
