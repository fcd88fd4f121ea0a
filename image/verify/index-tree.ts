import { emptyTree } from "../diff/diff.ts";
import { openPatches } from "../diff/patch-files.ts";
import { type Section, sections } from "../diff/sections.ts";
import type { Remote } from "../fetch/remote.ts";

interface Entry {
  readonly mode: string;
  readonly id: string;
}

const submodule = "160000";

/** Nothing is ever checked out, or has to outlive a power cut. */
const config = [
  ["core.fsync", "none"],
  ["core.looseCompression", "1"],
  ["core.protectNTFS", "false"],
  ["core.protectHFS", "false"],
] as const;

/** A tree in git's index that diffs are applied to. */
export interface Scratch {
  /** Files whose id is known and whose content is not, because no diff holds it. Paths are bytes, in latin1. */
  readonly unproven: ReadonlyMap<string, Entry>;
  /** Applies a diff, and gives the id of the tree. @throws GitError where it does not apply; then go to a tree */
  apply(diff: AsyncIterable<Uint8Array>): Promise<string>;
  /** The files that are not what the diff's headers say. */
  differing(diff: AsyncIterable<Uint8Array>): Promise<string[]>;
  /** Goes to a tree that was come to before. */
  go(tree: string): Promise<void>;
}

/** @param remote its scratch repository */
export function openScratch(remote: Remote): Scratch {
  const unproven = new Map<string, Entry>();
  const run = (args: readonly string[], input?: Uint8Array) => remote.run(args, { config, input });
  const list = async (lines: readonly string[]) => {
    const input = Buffer.from(lines.map((line) => `${line}\0`).join(""), "latin1");
    if (lines.length > 0) await run(["update-index", "-z", "--index-info"], input);
  };

  /** Those of these files whose content is not in the scratch repository. */
  const withoutBlob = async (entries: readonly [path: string, Entry][]) => {
    const files = entries.filter(([, { mode }]) => mode !== submodule);
    if (files.length === 0) return [];
    const input = Buffer.from(files.map(([, { id }]) => `${id}\n`).join(""));
    const told = (await run(["cat-file", "--batch-check"], input)).split("\n");
    return files.filter((_, index) => told[index]?.endsWith(" missing"));
  };

  /** What a section makes of a file whose content git cannot work out; undefined where it can. */
  const withoutContent = ({ before, mode, ids, omitted }: Section): Entry | undefined => {
    const known = before === undefined ? undefined : unproven.get(before);
    // A submodule's commit is its id, and needs no content.
    if (!omitted && known === undefined && !(mode === submodule && ids)) return undefined;
    return { mode: mode ?? known?.mode ?? "", id: ids?.after ?? known?.id ?? "" };
  };

  return {
    unproven,
    async apply(diff) {
      const removed: string[] = [];
      const added = new Map<string, Entry>();
      const patches = openPatches(remote.directory);
      for await (const piece of sections(diff)) {
        if (piece instanceof Uint8Array) {
          await patches.write(piece);
          continue;
        }
        const { before, after } = piece;
        const entry = withoutContent(piece);
        await patches.begin(entry === undefined ? (after === undefined ? "removals" : "others") : undefined);
        if (entry === undefined) continue;
        if (before !== undefined && before !== after) removed.push(`0 ${"0".repeat(40)}\t${before}`);
        if (before !== undefined) unproven.delete(before);
        if (after === undefined) continue;
        added.set(after, entry);
      }
      // Whatever goes goes first: a file can become a folder, and a folder a file.
      const files = await patches.end();
      await list(removed);
      if (files.length > 0) await run(["apply", "--cached", "--whitespace=nowarn", ...files]);
      await list([...added].map(([path, { mode, id }]) => `${mode} ${id}\t${path}`));
      // The same content may be in a diff as that of another file.
      for (const [path, entry] of await withoutBlob([...added])) unproven.set(path, entry);
      return (await run(["write-tree", "--missing-ok"])).trim();
    },
    async differing(diff) {
      const entries = new Map(await listIndex(remote));
      const paths: string[] = [];
      for await (const piece of sections(diff)) {
        if (piece instanceof Uint8Array || piece.after === undefined || piece.ids === undefined) continue;
        if (entries.get(piece.after)?.id !== piece.ids.after) paths.push(piece.after);
      }
      return paths;
    },
    async go(tree) {
      await run(["read-tree", ...(tree === emptyTree ? ["--empty"] : [tree])]);
      unproven.clear();
      for (const [path, entry] of await withoutBlob(await listIndex(remote))) unproven.set(path, entry);
    },
  };
}

async function listIndex(remote: Remote): Promise<[path: string, Entry][]> {
  const lines = (await remote.run(["ls-files", "-s", "-z"])).split("\0").filter(Boolean);
  return lines.map((line) => {
    const tab = line.indexOf("\t");
    const [mode = "", id = ""] = line.slice(0, tab).split(" ");
    return [line.slice(tab + 1), { mode, id }];
  });
}
