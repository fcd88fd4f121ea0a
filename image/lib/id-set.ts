const idBytes = 20;
const largestLoad = 0.7;

/** A set of object ids that takes some 40 bytes for each, where a set of strings takes 150. */
export interface IdSet {
  add(id: string): void;
  has(id: string): boolean;
  /** Streams the ids, in no particular order, and removes them: their memory is free for the next work. */
  drain(): Generator<string>;
}

/** Many small tables, by the ids' first byte: a large one would be in memory twice while it grows. */
export function idSet(): IdSet {
  const tables = Array.from({ length: 256 }, openTable);
  // One for all ids: a buffer for each would be larger than its place in a table.
  const parsed = Buffer.alloc(idBytes);
  const tableOf = (id: string): Table => {
    parsed.write(id, "hex");
    return tables[parsed[0] ?? 0] as Table;
  };
  return {
    add: (id) => tableOf(id).add(parsed, 0),
    has: (id) => tableOf(id).has(parsed),
    *drain() {
      for (let index = 0; index < tables.length; index++) {
        yield* (tables[index] as Table).values();
        tables[index] = openTable();
      }
    },
  };
}

interface Table {
  add(source: Buffer, at: number): void;
  has(id: Buffer): boolean;
  values(): Generator<string>;
}

/** A hash table with linear probing: ids are evenly distributed. */
function openTable(): Table {
  let slots = 16;
  let ids = Buffer.alloc(slots * idBytes);
  let used = new Uint8Array(slots);
  let size = 0;
  /** Returns the slot of the id at `at` in `source`, or the empty one where it belongs. */
  const find = (source: Buffer, at: number): number => {
    for (let slot = source.readUInt32LE(at + 1) % slots; ; slot = (slot + 1) % slots) {
      const start = slot * idBytes;
      if (!used[slot] || source.compare(ids, start, start + idBytes, at, at + idBytes) === 0) return slot;
    }
  };
  const grow = () => {
    const [before, usedBefore] = [ids, used];
    slots *= 2;
    [ids, used, size] = [Buffer.alloc(slots * idBytes), new Uint8Array(slots), 0];
    for (let slot = 0; slot < usedBefore.length; slot++) if (usedBefore[slot]) add(before, slot * idBytes);
  };
  const add = (source: Buffer, at: number) => {
    if (size > slots * largestLoad) grow();
    const slot = find(source, at);
    if (used[slot]) return;
    source.copy(ids, slot * idBytes, at, at + idBytes);
    used[slot] = 1;
    size++;
  };
  return {
    add,
    has: (id) => used[find(id, 0)] === 1,
    *values() {
      for (let slot = 0; slot < slots; slot++) {
        if (used[slot]) yield ids.toString("hex", slot * idBytes, (slot + 1) * idBytes);
      }
    },
  };
}
