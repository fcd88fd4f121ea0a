const idBytes = 20;

/** A set of object ids that takes some 40 bytes for each, where a set of strings takes 150. */
export interface IdSet {
  readonly size: number;
  add(id: string): void;
  /** Streams the ids, in no particular order. */
  values(): Generator<string>;
}

export function idSet(): IdSet {
  let slots = 1_024;
  let table = Buffer.alloc(slots * idBytes);
  let used = new Uint8Array(slots);
  let size = 0;
  /** Inserts an id at its place in the table, by linear probing: ids are evenly distributed. */
  const insert = (id: Buffer) => {
    let slot = id.readUInt32BE(0) % slots;
    for (; used[slot]; slot = (slot + 1) % slots) {
      if (id.compare(table, slot * idBytes, (slot + 1) * idBytes) === 0) return;
    }
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
    *values() {
      for (const id of ids()) yield id.toString("hex");
    },
  };
}
