import { diffName, type StepRecord } from "../chain/record.ts";
import { emptyTree } from "../diff/diff.ts";
import { type Finding, note, problem } from "./finding.ts";
import type { Gap } from "./follow-chain.ts";

/**
 * What diffs are there that no record names, oldest first. Those that lead over a gap are told with it.
 */
export function explainOrphans(
  orphans: readonly string[],
  gaps: readonly Gap[],
  first: StepRecord | undefined,
): Finding[] {
  let rest = orphans;
  const findings: Finding[] = [];
  for (const gap of gaps) {
    const way = wayOver(gap, rest);
    rest = rest.filter((name) => !way.includes(name));
    const { finding } = gap;
    const diffs = way.length === 0 ? "" : ` What changed in it is still there, in ${way.join(", ")}.`;
    findings.push({ ...finding, message: `${finding.message}${diffs}` });
  }
  // Where the chain goes on from the cursor of a version without records, that version's diffs are there too.
  const takenOver = first?.previous === null && first.from !== emptyTree;
  const minute = takenOver ? diffName(first.from, first.to, new Date(first.scheduled)).slice(0, 15) : "";
  const older = rest.filter((name) => name.slice(0, 15) <= minute);
  if (older.length > 0) {
    const message = `${older.length} diffs, ${older[0]} to ${older.at(-1)}, are older than the first record: they were stored by a version without records, and cannot be checked.`;
    findings.push(note("older-diffs", older[0] ?? "", message, "Nothing."));
  }
  for (const name of rest.slice(older.length)) {
    const message = `${name} is named by no record, and no part of the chain: a run stored it that had lost its step to another one, or somebody else did.`;
    const remedy = "Move it elsewhere: whoever adds up all diffs would count its changes twice.";
    findings.push(problem("orphan", name, message, remedy));
  }
  return findings;
}

/** The diffs that lead from one end of a gap to the other, by the commits in their names. */
export function wayOver({ from, to }: Omit<Gap, "finding">, orphans: readonly string[]): string[] {
  const way: string[] = [];
  const end = to?.slice(0, 7);
  const begins = (name: string, commit: string) => name.slice(16, 23) === commit && !way.includes(name);
  for (let at = (from ?? emptyTree).slice(0, 7); at !== end; ) {
    const next =
      orphans.find((name) => begins(name, at)) ??
      // The step may have been restarted.
      orphans.find((name) => begins(name, emptyTree.slice(0, 7)));
    if (next === undefined) return end === undefined ? way : [];
    way.push(next);
    at = next.slice(24, 31);
  }
  return way;
}
