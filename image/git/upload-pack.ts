import { type GitOptions, streamGit } from "./git.ts";

/** Lets a local repository serve everything that a step needs, whatever its own configuration says. */
const config = [
  ["uploadpack.allowFilter", "true"],
  ["uploadpack.allowAnySHA1InWant", "true"],
] as const;

/** Speaks to git-upload-pack in a folder, one process for each request, as a server for HTTP does. */
export function uploadPack(folder: string, protocol = "version=2") {
  const run = (
    args: readonly string[],
    signal: AbortSignal,
    input?: Uint8Array,
  ): AsyncIterable<Uint8Array> => {
    const options: GitOptions = {
      directory: folder,
      signal,
      config,
      environment: { GIT_PROTOCOL: protocol },
      ...(input && { input }),
    };
    return streamGit(["upload-pack", "--stateless-rpc", ...args, folder], options);
  };
  return {
    advertise: async (signal: AbortSignal) => run(["--advertise-refs"], signal),
    post: async (body: Uint8Array, signal: AbortSignal) => run([], signal, body),
  };
}
