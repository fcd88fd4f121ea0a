import { linesOf } from "./lines.ts";
import type { ScratchRepository } from "./scratch-repository.ts";

export interface Commit {
  readonly id: string;
  readonly tree: string;
  readonly parents: readonly string[];
  /** The committer's time, in seconds since 1970. */
  readonly time: number;
  /** The whole object, in latin1. */
  readonly text: string;
}

/** Returns those of these commits that the repository has. */
export async function readCommits(scratch: ScratchRepository, ids: readonly string[]): Promise<Commit[]> {
  return Array.fromAsync(readBatch(scratch, [], `${ids.join("\n")}\n`));
}

/** Streams every commit of a repository that has little else: git outputs all of its objects. */
export const streamCommitsOnly = (scratch: ScratchRepository): AsyncGenerator<Commit> =>
  readBatch(scratch, ["--batch-all-objects"], "");

/** Streams every commit that the repository has, also those that a shallow boundary hides. */
export async function* streamCommits(scratch: ScratchRepository): AsyncGenerator<Commit> {
  const listing = ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"];
  const ids: string[] = [];
  const batchSize = 10_000;
  for await (const line of linesOf(scratch.stream(listing))) {
    if (line.startsWith("commit ")) ids.push(line.slice("commit ".length));
    if (ids.length === batchSize) yield* readBatch(scratch, [], `${ids.splice(0).join("\n")}\n`);
  }
  yield* readBatch(scratch, [], `${ids.join("\n")}\n`);
}

async function* readBatch(
  scratch: ScratchRepository,
  options: readonly string[],
  input: string,
): AsyncGenerator<Commit> {
  let rest = Buffer.alloc(0);
  const environment = { GIT_NO_REPLACE_OBJECTS: "1" };
  for await (const chunk of scratch.stream(["cat-file", "--batch", ...options], { input, environment })) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
      const [id = "", type, size] = rest.toString("latin1", start, end).split(" ");
      const after = end + 1 + (size === undefined ? 0 : Number(size) + 1);
      if (after > rest.length) break;
      if (type === "commit") yield parseCommit(id, rest.toString("latin1", end + 1, after - 1));
      start = after;
    }
    rest = rest.subarray(start);
  }
}

function parseCommit(id: string, text: string): Commit {
  const header = text.slice(0, text.indexOf("\n\n"));
  const field = (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(header)?.[1] ?? "";
  return {
    id,
    tree: field("tree"),
    parents: [...header.matchAll(/^parent (.*)$/gm)].map(([, parent = ""]) => parent),
    time: Number(/ (\d+) [+-]\d+$/.exec(field("committer"))?.[1] ?? 0),
    text,
  };
}
