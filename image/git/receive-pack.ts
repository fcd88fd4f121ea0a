import { Readable } from "node:stream";
import { streamGit } from "./git.ts";

/** What is pushed to is no scratch repository: it must outlive a crash. */
const config = [["core.fsync", "default"]] as const;

/** Speaks to git-receive-pack in a folder, one process for each request, as a server for HTTP does. */
export function receivePack(folder: string) {
  const run = (args: readonly string[], signal: AbortSignal, input?: Uint8Array | Readable) =>
    streamGit(["receive-pack", "--stateless-rpc", ...args, folder], {
      directory: folder,
      signal,
      config,
      ...(input && { input }),
    });
  return {
    advertise: async (signal: AbortSignal) => run(["--advertise-refs"], signal),
    post: async (body: Uint8Array | AsyncIterable<Uint8Array>, signal: AbortSignal) =>
      run([], signal, body instanceof Uint8Array ? body : Readable.from(body)),
  };
}
