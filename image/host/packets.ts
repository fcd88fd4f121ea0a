import { cutOff, notGit, refused, tooMuch } from "./answer-error.ts";

/** A packet without content: 0 ends an answer (flush), 1 ends a section of it (delimiter), 2 ends a response. */
export type Special = 0 | 1 | 2;
export type Packet = Buffer | Special;

/** Formats one packet of git's protocol. Source: https://git-scm.com/docs/gitprotocol-common#_pkt_line_format */
export const packet = (text: string): string =>
  (Buffer.byteLength(text) + 4).toString(16).padStart(4, "0") + text;

export const flush = "0000";
export const delimiter = "0001";

/** What one answer may hold outside of its packs. A host that exceeds it is hostile or broken. */
export interface AnswerLimits {
  readonly bytes: number;
  readonly packets: number;
}

export interface PacketReader {
  /** Returns the next packet. @throws GitError where the answer ends before it, exceeds its limits, or is an error */
  next(): Promise<Packet>;
  /** Returns the text of the packets up to this special one, without newlines. @throws GitError as above */
  linesUntil(end: Special): AsyncGenerator<string>;
  /** Expects that the answer has ended. @throws GitError */
  end(): Promise<void>;
  /** Excludes the packets from now on from the limits: they belong to a pack. */
  beginPack(): void;
  /** Returns the rest of the answer as it comes. */
  rest(): AsyncGenerator<Uint8Array>;
  /** Ends the answer, wherever it is. To be called in the end in any case. */
  close(): Promise<void>;
}

/** Reads the packets of an answer. */
export function readPackets(chunks: AsyncIterable<Uint8Array>, limits: AnswerLimits): PacketReader {
  const source = chunks[Symbol.asyncIterator]();
  let buffered: Buffer = Buffer.alloc(0);
  let left = { ...limits };
  const fill = async (): Promise<boolean> => {
    const { value, done } = await source.next();
    if (done) return false;
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.length);
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    return true;
  };
  const take = async (length: number): Promise<Buffer> => {
    while (buffered.length < length) if (!(await fill())) throw cutOff();
    const taken = buffered.subarray(0, length);
    buffered = buffered.subarray(length);
    return taken;
  };
  const next = async (): Promise<Packet> => {
    const digits = (await take(4)).toString("latin1");
    const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : 3;
    if (length === 3) throw notGit("a packet has no length");
    left = { bytes: left.bytes - length, packets: left.packets - 1 };
    if (left.bytes < 0 || left.packets < 0)
      throw tooMuch("refs", `${limits.bytes} bytes or ${limits.packets} lines`);
    if (length < 3) return length as Special;
    const content = await take(length - 4);
    if (content.subarray(0, 4).toString("latin1") === "ERR ") throw refused(content.subarray(4).toString());
    return content;
  };
  return {
    next,
    async *linesUntil(end) {
      for (;;) {
        const read = await next();
        if (read === end) return;
        if (typeof read === "number") throw notGit("a special packet is at the wrong place");
        yield read.toString().replace(/\n$/, "");
      }
    },
    async end() {
      if (buffered.length > 0 || (await fill())) throw notGit("it goes on after its end");
    },
    beginPack() {
      left = { bytes: Number.POSITIVE_INFINITY, packets: Number.POSITIVE_INFINITY };
    },
    async *rest() {
      if (buffered.length > 0) yield buffered;
      buffered = Buffer.alloc(0);
      for (let step = await source.next(); !step.done; step = await source.next()) yield step.value;
    },
    async close() {
      await source.return?.();
    },
  };
}
