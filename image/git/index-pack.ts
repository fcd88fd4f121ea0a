import { PassThrough } from "node:stream";
import { together } from "../lib/settle.ts";
import { type GitOptions, git } from "./git.ts";

/**
 * Has git take a pack that comes in these bytes into the scratch repository of these options. Where git fails, `stop` is
 * to end the bytes. @throws GitError, or what the bytes broke off with
 */
export async function indexPack(
  bytes: AsyncIterable<Uint8Array>,
  into: GitOptions,
  stop: (reason: unknown) => void,
): Promise<void> {
  const input = new PassThrough();
  const receive = async () => {
    // git may have all it wants before the end, which has to be read nevertheless.
    for await (const chunk of bytes) if (input.writable && !input.write(chunk)) await drained(input);
  };
  const indexed = git(["index-pack", "--stdin", "-v"], { ...into, input });
  indexed.catch(stop);
  await together(
    receive().finally(() => input.end()),
    indexed,
  );
}

const drained = (stream: PassThrough): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
