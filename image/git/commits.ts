import type { Remote } from "../fetch/remote.ts";

export interface Commit {
  readonly id: string;
  readonly tree: string;
  readonly parents: readonly string[];
  /** The committer's, in seconds since 1970. */
  readonly time: number;
  /** The whole object, in latin1. */
  readonly text: string;
}

/** Those of these commits that the scratch repository has. */
export async function readCommits(remote: Remote, ids: readonly string[]): Promise<Commit[]> {
  return Array.fromAsync(batch(remote, [], `${ids.join("\n")}\n`));
}

/** All commits of a scratch repository that has little else: everything in it is read. */
export const commitsAmongFew = (remote: Remote): AsyncGenerator<Commit> =>
  batch(remote, ["--batch-all-objects"], "");

/** All commits that the scratch repository has, whatever its edge hides. */
export async function* commitsIn(remote: Remote): AsyncGenerator<Commit> {
  const listing = ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"];
  const ids: string[] = [];
  const few = 10_000;
  for await (const line of linesOf(remote.stream(listing))) {
    if (line.startsWith("commit ")) ids.push(line.slice("commit ".length));
    // In portions, as there may be hundreds of thousands.
    if (ids.length === few) yield* batch(remote, [], `${ids.splice(0).join("\n")}\n`);
  }
  yield* batch(remote, [], `${ids.join("\n")}\n`);
}

/** The lines of a stream, in latin1. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + Buffer.from(chunk).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

async function* batch(remote: Remote, options: readonly string[], input: string): AsyncGenerator<Commit> {
  let rest = Buffer.alloc(0);
  for await (const chunk of remote.stream(["cat-file", "--batch", ...options], {
    input,
    environment: { GIT_NO_REPLACE_OBJECTS: "1" },
  })) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
      const [id = "", type, size] = rest.toString("latin1", start, end).split(" ");
      const after = end + 1 + (size === undefined ? 0 : Number(size) + 1);
      if (after > rest.length) break;
      if (type === "commit") yield parse(id, rest.toString("latin1", end + 1, after - 1));
      start = after;
    }
    rest = rest.subarray(start);
  }
}

function parse(id: string, text: string): Commit {
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
