import { GitError } from "../lib/errors.ts";
import type { ObjectReader } from "./objects.ts";

export interface Commit {
  readonly id: string;
  readonly tree: string;
  readonly parents: readonly string[];
  /** The whole object. */
  readonly content: Buffer;
}

/** No honest commit is larger. The whole text has to be in memory. */
const largestCommit = 16 * 1024 * 1024;

/** Returns those of these objects that are there and are commits. @throws GitError for a commit that is too large */
export async function readCommits(objects: ObjectReader, ids: readonly string[]): Promise<Commit[]> {
  const found = (await objects.info(ids)).filter(({ type }) => type === "commit");
  for (const { id, bytes } of found) if (bytes > largestCommit) throw tooLarge(id, bytes);
  const commits: Commit[] = [];
  for await (const { id, content } of objects.contents(found.map(({ id }) => id))) {
    const bytes = Buffer.concat(await Array.fromAsync(content));
    commits.push({ id, ...parseCommit(bytes.toString("latin1")), content: bytes });
  }
  return commits;
}

/** Parses a commit's header, which ends with the first empty line. */
function parseCommit(text: string): Pick<Commit, "tree" | "parents"> {
  const end = text.indexOf("\n\n");
  const header = end < 0 ? text : text.slice(0, end);
  const tree = /^tree ([0-9a-f]{40})$/m.exec(header)?.[1] ?? "";
  // Only the lines right after the tree: a signature in the header may contain anything.
  const parents = /^tree .*\n((?:parent [0-9a-f]{40}\n)*)/.exec(`${header}\n`)?.[1] ?? "";
  return { tree, parents: [...parents.matchAll(/[0-9a-f]{40}/g)].map(([parent]) => parent) };
}

const tooLarge = (id: string, bytes: number) =>
  new GitError(
    "commit-too-large",
    `The commit ${id} has ${bytes} bytes, which no honest commit needs (${largestCommit}).`,
    "Remove the commit from the branch, or leave the repository out.",
  );
