import { emptyTree } from "../lib/object-id.ts";
import { type Finding, note, problem } from "./finding.ts";
import type { Gap } from "./follow-chain.ts";

/**
 * Explains the diffs that no record names. Those that lead across a gap become part of the gap's finding.
 * @param unnamed their names, oldest first
 * @param older those that were stored before the first record
 */
export function explainUnnamed(
  unnamed: readonly string[],
  gaps: readonly Gap[],
  older: readonly string[],
): Finding[] {
  let rest = unnamed;
  const findings: Finding[] = [];
  for (const gap of gaps) {
    const path = pathAcross(gap, rest);
    rest = rest.filter((name) => !path.includes(name));
    const { finding } = gap;
    const diffs = path.length === 0 ? "" : ` The changes are still stored, in ${path.join(", ")}.`;
    findings.push({ ...finding, message: `${finding.message}${diffs}` });
  }
  if (older.length > 0) {
    const message = `${older.length} diffs, ${older[0]} to ${older.at(-1)}, are older than the first record, and cannot be checked: their records have expired, or a version without records stored them.`;
    findings.push(note("older-diffs", older[0] ?? "", message, "Nothing."));
  }
  const explained = new Set(older);
  for (const name of rest.filter((name) => !explained.has(name))) {
    const message = `No record names ${name}, so it is not part of the chain: its run lost the step to another run, or somebody else stored it.`;
    const remedy = "Move it elsewhere: a sum of all diffs would count its changes twice.";
    findings.push(problem("orphan", name, message, remedy));
  }
  return findings;
}

/** Returns the diffs that lead from one end of a gap to the other, by the commits in their names. */
export function pathAcross({ from, to }: Omit<Gap, "finding">, unnamed: readonly string[]): string[] {
  const path: string[] = [];
  const end = to?.slice(0, 7);
  const begins = (name: string, commit: string) => name.slice(16, 23) === commit && !path.includes(name);
  for (let at = (from ?? emptyTree).slice(0, 7); at !== end; ) {
    const next =
      unnamed.find((name) => begins(name, at)) ??
      // The step may have been restarted.
      unnamed.find((name) => begins(name, emptyTree.slice(0, 7)));
    if (next === undefined) return end === undefined ? path : [];
    path.push(next);
    at = next.slice(24, 31);
  }
  return path;
}
