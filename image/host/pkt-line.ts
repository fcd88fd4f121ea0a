/** A packet without content: 0 ends an answer, 1 ends a section of it, 2 ends the answer to one HTTP request. */
export type Special = 0 | 1 | 2;

/** Formats one packet of git's protocol. Source: https://git-scm.com/docs/gitprotocol-common#_pkt_line_format */
export const pktLine = (text: string): string =>
  (Buffer.byteLength(text) + 4).toString(16).padStart(4, "0") + text;

export interface PktReader {
  /** Returns the text up to the end of the line, and undefined where there is no end. */
  line(): Promise<string | undefined>;
  /** Returns the content of the next packet, and undefined where there is none. */
  packet(): Promise<Buffer | Special | undefined>;
  /** Reads on to the end of the stream. */
  end(): Promise<void>;
}

/** Reads lines and packets from a stream, whose first bytes it requests at once. All methods throw the stream's error. */
export function readPktLines(chunks: AsyncIterator<Uint8Array>): PktReader {
  let rest: Buffer = Buffer.alloc(0);
  const request = () => {
    const requested = chunks.next();
    requested.catch(() => {}); // `more` throws it.
    return requested;
  };
  let next = request();
  const more = async (): Promise<boolean> => {
    const { value, done } = await next;
    if (done) return false;
    next = request();
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.length);
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    return true;
  };
  const take = async (length: number): Promise<Buffer | undefined> => {
    while (rest.length < length) if (!(await more())) return undefined;
    const taken = rest.subarray(0, length);
    rest = rest.subarray(length);
    return taken;
  };
  return {
    async line() {
      while (!rest.includes("\n")) if (!(await more())) return undefined;
      return (await take(rest.indexOf("\n") + 1))?.toString().slice(0, -1);
    },
    async packet() {
      const digits = (await take(4))?.toString("latin1") ?? "";
      const length = /^[0-9a-f]{4}$/.test(digits) ? Number.parseInt(digits, 16) : 3;
      if (length === 3) return undefined;
      return length < 3 ? (length as Special) : take(length - 4);
    },
    async end() {
      do rest = Buffer.alloc(0);
      while (await more());
    },
  };
}
