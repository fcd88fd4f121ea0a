import { PassThrough } from "node:stream";
import { settleAll } from "../lib/settle.ts";
import { type GitOptions, runGit } from "./git.ts";

/**
 * Stores a pack in the repository of these options. Where git fails, `stop` is called to end the bytes.
 * @throws GitError, or the error of `pack`
 */
export async function indexPack(
  pack: AsyncIterable<Uint8Array>,
  options: GitOptions,
  stop: (reason: unknown) => void,
): Promise<void> {
  const input = new PassThrough();
  const receive = async () => {
    // git may have all it needs before the end. The rest is read nevertheless, as the connection goes on after it.
    for await (const chunk of pack) if (input.writable && !input.write(chunk)) await drained(input);
  };
  const indexed = runGit(["index-pack", "--stdin", "-v"], { ...options, input });
  indexed.catch(stop);
  await settleAll(
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
