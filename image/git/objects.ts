import { PassThrough } from "node:stream";
import { GitError } from "../lib/errors.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

export interface ObjectInfo {
  readonly id: string;
  readonly type: string;
  readonly bytes: number;
}

/** Reads objects of a scratch repository, all by one git process. */
export interface ObjectReader extends AsyncDisposable {
  /** Returns type and size of those of these objects that are there, in their order. @throws GitError */
  info(ids: readonly string[]): Promise<ObjectInfo[]>;
  /** Streams those of these objects that are there, in their order. Each one's content must be read before the next. @throws GitError */
  contents(ids: Iterable<string>): AsyncGenerator<ObjectContent, void, void>;
}

export interface ObjectContent extends ObjectInfo {
  readonly content: AsyncGenerator<Buffer, void, void>;
}

export function openObjectReader(scratch: ScratchRepository): ObjectReader {
  let opened: { requests: PassThrough; answers: AsyncGenerator<Uint8Array, void, void> } | undefined;
  let buffered: Buffer = Buffer.alloc(0);
  const open = () => {
    if (opened) return opened;
    const requests = new PassThrough();
    const command = ["cat-file", "--batch-command", "--buffer"];
    const environment = { GIT_NO_REPLACE_OBJECTS: "1" };
    const answers = scratch.stream(command, { input: requests, environment });
    opened = { requests, answers: answers[Symbol.asyncIterator]() as AsyncGenerator<Uint8Array, void, void> };
    return opened;
  };
  const send = (lines: readonly string[]) => open().requests.write(`${lines.join("\n")}\nflush\n`);
  const fill = async () => {
    const { value, done } = await open().answers.next();
    if (done) throw ended();
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.length);
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
  };
  const line = async (): Promise<string> => {
    let end = buffered.indexOf("\n");
    for (; end < 0; end = buffered.indexOf("\n")) await fill();
    const text = buffered.toString("latin1", 0, end);
    buffered = buffered.subarray(end + 1);
    return text;
  };
  /** Reads an answer's first line; undefined where the object is missing. */
  const head = async (): Promise<ObjectInfo | undefined> => {
    const [id = "", type = "", bytes] = (await line()).split(" ");
    return bytes === undefined ? undefined : { id, type, bytes: Number(bytes) };
  };
  async function* content(bytes: number) {
    // And a newline.
    for (let left = bytes + 1; left > 0; ) {
      if (buffered.length === 0) await fill();
      const piece = buffered.subarray(0, left);
      buffered = buffered.subarray(piece.length);
      left -= piece.length;
      const content = left === 0 ? piece.subarray(0, -1) : piece;
      if (content.length > 0) yield content;
    }
  }
  // One request at a time: the answers come in the order of the requests.
  let last: Promise<unknown> = Promise.resolve();
  const takeTurn = async (): Promise<() => void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = last;
    last = promise;
    await before;
    return resolve;
  };
  return {
    async info(ids) {
      const endTurn = await takeTurn();
      try {
        const found: ObjectInfo[] = [];
        for (const some of portions(ids)) {
          send(some.map((id) => `info ${id}`));
          for (const _ of some) {
            const info = await head();
            if (info) found.push(info);
          }
        }
        return found;
      } finally {
        endTurn();
      }
    },
    async *contents(ids) {
      const endTurn = await takeTurn();
      try {
        for (const some of portions(ids)) {
          send(some.map((id) => `contents ${id}`));
          for (const _ of some) {
            const info = await head();
            if (info === undefined) continue;
            yield { ...info, content: content(info.bytes) };
          }
        }
      } finally {
        endTurn();
      }
    },
    async [Symbol.asyncDispose]() {
      opened?.requests.end();
      await opened?.answers.return();
    },
  };
}

/** Splits requests, so that neither side waits for the other with its pipe full. */
function* portions(ids: Iterable<string>): Generator<string[]> {
  let portion: string[] = [];
  for (const id of ids) {
    portion.push(id);
    if (portion.length < 1_000) continue;
    yield portion;
    portion = [];
  }
  if (portion.length > 0) yield portion;
}

const ended = () =>
  new GitError("git-failed", "git cat-file ended before its answer.", "Start again; report it if it lasts.");
