/** What a commit says about its place in history. */
export interface Ancestry {
  readonly parents: readonly string[];
  /** The committer's, in seconds since 1970. */
  readonly date: number;
}

export function parseAncestry(commit: Buffer): Ancestry {
  const end = commit.indexOf("\n\n");
  const header = commit.toString("latin1", 0, end < 0 ? commit.length : end);
  const parents = [...header.matchAll(/^parent ([0-9a-f]{40})$/gm)].map(([, id = ""]) => id);
  return { parents, date: Number(/^committer .* (\d+) [+-]\d+$/m.exec(header)?.[1] ?? 0) };
}

const [fromNew, fromOld] = [1, 2];

/**
 * Returns whether a commit descends from another one. Walks back from both, the youngest commit first, until all that is left
 * to visit are ancestors of the old one: it cannot be an ancestor of its own ancestors.
 * @param read undefined for what is no commit, or cannot be read; then the answer may be undefined too
 */
export async function descends(
  read: (id: string) => Promise<Ancestry | undefined>,
  from: string,
  to: string,
): Promise<boolean | undefined> {
  const marks = new Map<string, number>();
  const waiting = new Map<string, Ancestry>();
  let isKnown = true;
  const visit = async (id: string, mark: number) => {
    const known = marks.get(id) ?? 0;
    if ((known | mark) === known) return;
    marks.set(id, known | mark);
    const ancestry = await read(id);
    if (ancestry) waiting.set(id, ancestry);
    else isKnown = false;
  };
  await visit(to, fromNew);
  await visit(from, fromOld);
  for (;;) {
    if (marks.get(from) !== fromOld) return true;
    let youngest: { id: string; ancestry: Ancestry } | undefined;
    let isOver = true;
    for (const [id, ancestry] of waiting) {
      if (marks.get(id) === fromNew) isOver = false;
      if (!youngest || ancestry.date > youngest.ancestry.date) youngest = { id, ancestry };
    }
    if (isOver || !youngest) return isKnown ? false : undefined;
    waiting.delete(youngest.id);
    for (const parent of youngest.ancestry.parents) await visit(parent, marks.get(youngest.id) ?? 0);
  }
}
