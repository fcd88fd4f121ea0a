/** One pkt-line: its payload, or for a special packet (flush, delimiter) nothing but its length field. */
export interface Packet {
  length: string;
  payload?: Buffer;
}

export function parsePackets(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.toString("latin1", at, at + 4);
    const size = Number.parseInt(length, 16);
    if (Number.isNaN(size) || at + size > bytes.length)
      throw new Error(`no pkt-line at byte ${at}: ${length}`);
    const end = at + Math.max(size, 4);
    packets.push(size < 4 ? { length } : { length, payload: bytes.subarray(at + 4, end) });
    at = end;
  }
  return packets;
}

export function formatPackets(packets: readonly Packet[]): Buffer {
  return Buffer.concat(
    packets.flatMap(({ length, payload }) => [Buffer.from(length, "latin1"), payload ?? Buffer.alloc(0)]),
  );
}

export function packet(payload: string | Buffer): Packet {
  const bytes = Buffer.from(payload);
  return { length: (bytes.length + 4).toString(16).padStart(4, "0"), payload: bytes };
}

/** The answer with which a git server refuses and says why. */
export function errorPacket(message: string): Buffer {
  return formatPackets([packet(`ERR ${message}`)]);
}

/** The keyword of every `deepen`, `deepen-since`, `deepen-not` … line of a request. */
export function deepenings(body: Buffer): string[] {
  return parsePackets(body).flatMap(({ payload }) => /^deepen[a-z-]*/.exec(payload?.toString() ?? "") ?? []);
}

/**
 * The request as a server understands it that takes no notice of a depth. Protocol 0 promises a client that
 * deepens a section of shallow commits, so there the depth becomes git's own number for "all of it".
 */
export function withoutDepth(body: Buffer, version: 0 | 2): Buffer {
  let replaced = false;
  const packets = parsePackets(body).flatMap((each) => {
    if (!each.payload?.toString().startsWith("deepen")) return [each];
    if (version === 2 || replaced) return [];
    replaced = true;
    return [packet("deepen 2147483647")];
  });
  return formatPackets(packets);
}

/** The advertisement (of either protocol) without the named capabilities of fetch. */
export function withoutCapabilities(advertisement: Buffer, names: readonly string[]): Buffer {
  const kept = (list: string) => list.split(" ").filter((word) => !names.includes(word.trim()));
  const packets = parsePackets(advertisement).map((each) => {
    const text = each.payload?.toString("latin1") ?? "";
    const start = text.startsWith("fetch=") ? "fetch=".length : text.indexOf("\0") + 1;
    if (start === 0) return each;
    const line = `${text.slice(0, start)}${kept(text.slice(start)).join(" ").trimEnd()}`;
    return packet(Buffer.from(text.endsWith("\n") ? `${line}\n` : line, "latin1"));
  });
  return formatPackets(packets);
}
