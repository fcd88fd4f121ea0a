import { openPatchFiles } from "../diff/patch-files.ts";
import { type Section, streamSections } from "../diff/sections.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { emptyTree } from "../lib/object-id.ts";

interface Entry {
  readonly mode: string;
  readonly id: string;
}

const submoduleMode = "160000";

/** Nothing here is ever checked out as files, or has to survive a power failure. */
const config = [
  ["core.fsync", "none"],
  ["core.looseCompression", "1"],
  ["core.protectNTFS", "false"],
  ["core.protectHFS", "false"],
] as const;

/** A tree in git's index, to which diffs are applied. Paths are bytes, in latin1. */
export interface IndexTree {
  /** The files whose id is known, but whose content no diff contains. */
  readonly withoutContent: ReadonlyMap<string, Entry>;
  /** Applies a diff, and returns the tree's id. @throws GitError where it does not apply; then check out a tree */
  apply(diff: AsyncIterable<Uint8Array>): Promise<string>;
  /** Returns the files that differ from the diff's headers. */
  differing(diff: AsyncIterable<Uint8Array>): Promise<string[]>;
  /** Checks out a tree that was reached before. */
  checkout(tree: string): Promise<void>;
}

export function openIndexTree(scratch: ScratchRepository): IndexTree {
  const withoutContent = new Map<string, Entry>();
  const run = (args: readonly string[], input?: Uint8Array) => scratch.run(args, { config, input });
  const updateIndex = async (lines: readonly string[]) => {
    const input = Buffer.from(lines.map((line) => `${line}\0`).join(""), "latin1");
    if (lines.length > 0) await run(["update-index", "-z", "--index-info"], input);
  };

  /** Returns the entries whose content is not in the scratch repository. */
  const missingBlobs = async (entries: readonly [path: string, Entry][]) => {
    const files = entries.filter(([, { mode }]) => mode !== submoduleMode);
    if (files.length === 0) return [];
    const input = Buffer.from(files.map(([, { id }]) => `${id}\n`).join(""));
    const answers = (await run(["cat-file", "--batch-check"], input)).split("\n");
    return files.filter((_, index) => answers[index]?.endsWith(" missing"));
  };

  /** Returns a file's entry after a section that git cannot apply for lack of content; undefined where it can. */
  const entryWithoutContent = ({ before, mode, ids, omitted }: Section): Entry | undefined => {
    const known = before === undefined ? undefined : withoutContent.get(before);
    // A submodule's commit is its id, and needs no content.
    if (!omitted && known === undefined && !(mode === submoduleMode && ids)) return undefined;
    return { mode: mode ?? known?.mode ?? "", id: ids?.after ?? known?.id ?? "" };
  };

  return {
    withoutContent,
    async apply(diff) {
      const removed: string[] = [];
      const added = new Map<string, Entry>();
      const patches = openPatchFiles(scratch.directory);
      for await (const piece of streamSections(diff)) {
        if (piece instanceof Uint8Array) {
          await patches.write(piece);
          continue;
        }
        const { before, after } = piece;
        const entry = entryWithoutContent(piece);
        await patches.select(entry === undefined ? (after === undefined ? "removals" : "others") : undefined);
        if (entry === undefined) continue;
        if (before !== undefined && before !== after) removed.push(`0 ${"0".repeat(40)}\t${before}`);
        if (before !== undefined) withoutContent.delete(before);
        if (after === undefined) continue;
        added.set(after, entry);
      }
      // Removals first: a file can become a folder, and a folder a file.
      const files = await patches.end();
      await updateIndex(removed);
      if (files.length > 0) await run(["apply", "--cached", "--whitespace=nowarn", ...files]);
      await updateIndex([...added].map(([path, { mode, id }]) => `${mode} ${id}\t${path}`));
      // The diff may contain the same content as that of another file.
      for (const [path, entry] of await missingBlobs([...added])) withoutContent.set(path, entry);
      return (await run(["write-tree", "--missing-ok"])).trim();
    },
    async differing(diff) {
      const entries = new Map(await listIndex(scratch));
      const paths: string[] = [];
      for await (const piece of streamSections(diff)) {
        if (piece instanceof Uint8Array || piece.after === undefined || piece.ids === undefined) continue;
        if (entries.get(piece.after)?.id !== piece.ids.after) paths.push(piece.after);
      }
      return paths;
    },
    async checkout(tree) {
      await run(["read-tree", ...(tree === emptyTree ? ["--empty"] : [tree])]);
      withoutContent.clear();
      for (const [path, entry] of await missingBlobs(await listIndex(scratch)))
        withoutContent.set(path, entry);
    },
  };
}

async function listIndex(scratch: ScratchRepository): Promise<[path: string, Entry][]> {
  const lines = (await scratch.run(["ls-files", "-s", "-z"])).split("\0").filter(Boolean);
  return lines.map((line) => {
    const tab = line.indexOf("\t");
    const [mode = "", id = ""] = line.slice(0, tab).split(" ");
    return [line.slice(tab + 1), { mode, id }];
  });
}
