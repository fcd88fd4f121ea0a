import { type CompleteStep, recordName } from "../chain/record.ts";
import { emptyTree } from "../diff/diff.ts";
import { GitError } from "../lib/errors.ts";
import { type Finding, note, problem, restore } from "./finding.ts";
import type { Scratch } from "./index-tree.ts";

type OpenDiff = () => AsyncIterable<Uint8Array>;

/** A walk along the chain, from tree to tree. */
export interface Walk {
  /** @param diff undefined where there is none, or none to be trusted */
  take(step: CompleteStep, diff: OpenDiff | undefined): Promise<void>;
  findings(): Finding[];
  /** How many steps led where their records say. */
  replayed(): number;
}

export function openWalk(scratch: Scratch): Walk {
  const findings: Finding[] = [];
  /** The trees that diffs led to, and of which commits they are. */
  const reached = new Set([emptyTree]);
  const treeOf = new Map<string, string>();
  let skipped: CompleteStep[] = [];
  let replayed = 0;
  /** The scratch tree; undefined after a diff that did not apply. */
  let at: string | undefined = emptyTree;

  const tellSkipped = () => {
    if (skipped.length > 0) findings.push(notReplayed(skipped));
    skipped = [];
  };
  const goTo = async (tree: string) => {
    if (at !== tree) await scratch.go(tree);
    at = tree;
  };

  return {
    replayed: () => replayed,
    findings() {
      const files = at === undefined || skipped.length > 0 ? [] : [...scratch.unproven.keys()];
      tellSkipped();
      return files.length === 0 ? findings : [...findings, withoutContent(files, at ?? "")];
    },
    async take(step, diff) {
      const { kind, from, to, fromTree, toTree } = step;
      const start = kind === "baseline" || kind === "restarted" ? emptyTree : (fromTree ?? treeOf.get(from));
      if (start === undefined || !reached.has(start) || (step.diff !== null && diff === undefined)) {
        // A record that moves nothing has nothing to replay.
        if (from !== to) skipped.push(step);
        return;
      }
      tellSkipped();
      try {
        await goTo(start);
        if (diff !== undefined) at = await scratch.apply(diff());
      } catch (error) {
        if (!(error instanceof GitError) || /^git-(missing|disk-full)$/.test(error.code)) throw error;
        at = undefined;
        findings.push(failed(step, error));
        return;
      }
      const end = at as string;
      if (toTree !== null && toTree !== end) {
        const files = diff === undefined ? [] : await scratch.differing(diff());
        findings.push(differs(step, toTree, end, files));
        at = undefined;
        return;
      }
      reached.add(end);
      treeOf.set(to, end);
      replayed++;
    },
  };
}

const nameOf = ({ diff, number }: CompleteStep) => diff ?? recordName(number);

function failed(step: CompleteStep, error: GitError): Finding {
  // What goes before is about a host, and there is none here.
  const words = error.message.slice(Math.max(error.message.indexOf("git "), 0));
  const message = `${nameOf(step)} does not apply to the tree that the diffs before it lead to: ${words}`;
  return problem("replay-failed", nameOf(step), message, restore);
}

function differs(step: CompleteStep, right: string, wrong: string, files: readonly string[]): Finding {
  const where =
    files.length === 0
      ? "its headers name other ids than the tree has"
      : `${files.length === 1 ? "a file is" : `${files.length} files are`} not what its headers say`;
  const message = `${nameOf(step)} leads to the tree ${wrong} instead of ${right}: ${where}.`;
  const found = problem("replay-differs", nameOf(step), message, restore);
  return files.length === 0 ? found : { ...found, paths: files.map(showPath) };
}

function notReplayed(steps: readonly CompleteStep[]): Finding {
  const [first, last] = [steps[0] as CompleteStep, steps.at(-1) as CompleteStep];
  const which =
    first === last ? recordName(first.number) : `${recordName(first.number)} to ${recordName(last.number)}`;
  const message = `${steps.length} steps, ${which}, were not replayed: the diffs before do not lead to the tree that they begin with, or one of their own is damaged.`;
  const remedy =
    "Mend what else was found; after a cursor that was set by hand, only a new baseline can be replayed.";
  return note("not-replayed", recordName(first.number), message, remedy);
}

function withoutContent(files: readonly string[], tree: string): Finding {
  const message = `The content of ${files.length} files in the last tree, ${tree}, is in no diff, because git takes them for binary: their ids are proven, and no more.`;
  const remedy = "To have it in the diffs, collect with BINARY=include from a baseline on.";
  return {
    ...note("content-not-stored", tree, message, remedy),
    paths: files.map(showPath).sort(),
  };
}

/** A path as a person knows it; where it is no UTF-8, as git quotes it. */
function showPath(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(path, "latin1"));
  } catch {
    return path.replace(/[^ -~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`);
  }
}
