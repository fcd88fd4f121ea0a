const idBytes = 20;

/** A set of object ids that takes some 40 bytes for each, where a set of strings takes 150. */
export interface IdSet {
  readonly size: number;
  add(id: string): void;
  has(id: string): boolean;
  /** Streams the ids, in no particular order. */
  values(): Generator<string>;
}

export function idSet(): IdSet {
  let slots = 1_024;
  let table = Buffer.alloc(slots * idBytes);
  let used = new Uint8Array(slots);
  let size = 0;
  /** Returns the slot of an id, or the empty one where it belongs, by linear probing: ids are evenly distributed. */
  const find = (id: Buffer): number => {
    let slot = id.readUInt32BE(0) % slots;
    while (used[slot] && id.compare(table, slot * idBytes, (slot + 1) * idBytes) !== 0)
      slot = (slot + 1) % slots;
    return slot;
  };
  const insert = (id: Buffer) => {
    const slot = find(id);
    if (used[slot]) return;
    id.copy(table, slot * idBytes);
    used[slot] = 1;
    size++;
  };
  function* ids(): Generator<Buffer> {
    for (let slot = 0; slot < used.length; slot++) {
      if (used[slot]) yield table.subarray(slot * idBytes, (slot + 1) * idBytes);
    }
  }
  const grow = () => {
    const before = [...ids()];
    slots *= 2;
    [table, used, size] = [Buffer.alloc(slots * idBytes), new Uint8Array(slots), 0];
    for (const id of before) insert(id);
  };
  return {
    get size() {
      return size;
    },
    add(id) {
      if (size * 2 > slots) grow();
      insert(Buffer.from(id, "hex"));
    },
    has: (id) => used[find(Buffer.from(id, "hex"))] === 1,
    *values() {
      for (const id of ids()) yield id.toString("hex");
    },
  };
}
