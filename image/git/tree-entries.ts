/** An entry of a tree: https://git-scm.com/docs/gitformat-pack */
export interface TreeEntry {
  readonly mode: string;
  /** Its bytes, which may be no UTF-8. */
  readonly name: Buffer;
  readonly id: string;
}

const idBytes = 20;

/** Parses the entries of a tree, in their order. */
export function* treeEntries(content: Buffer): Generator<TreeEntry> {
  for (let at = 0; at < content.length; ) {
    const [space, end] = [content.indexOf(" ", at), content.indexOf(0, at)];
    if (space < 0 || end < 0) return;
    const id = content.toString("hex", end + 1, end + 1 + idBytes);
    yield { mode: content.toString("latin1", at, space), name: content.subarray(space + 1, end), id };
    at = end + 1 + idBytes;
  }
}
