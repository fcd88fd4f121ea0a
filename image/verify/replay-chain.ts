import { type CompleteStep, recordName } from "../chain/record.ts";
import { GitError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { type Finding, note, problem, restore } from "./finding.ts";
import type { IndexTree } from "./index-tree.ts";

type OpenDiff = () => AsyncIterable<Uint8Array>;

/** Replays the steps of a chain, from tree to tree. */
export interface ChainReplay {
  /** @param openDiff undefined where there is no diff, or no sound one */
  replay(step: CompleteStep, openDiff: OpenDiff | undefined): Promise<void>;
  findings(): Finding[];
  /** Returns the number of steps that led to the tree in their record. */
  replayed(): number;
}

export function replayChain(tree: IndexTree): ChainReplay {
  const findings: Finding[] = [];
  /** The trees that the diffs led to. */
  const reached = new Set([emptyTree]);
  const treeOfCommit = new Map<string, string>();
  /** Trees that git would not write so, and what replaying leads to in their place. */
  const replayTrees = new Map<string, string>();
  let skipped: CompleteStep[] = [];
  let replayed = 0;
  /** Whether there was a baseline to start from. */
  let begun = false;
  /** The present tree; undefined after a diff that did not apply. */
  let present: string | undefined = emptyTree;

  const reportSkipped = (reason: string) => {
    if (skipped.length > 0) findings.push(notReplayed(skipped, reason));
    skipped = [];
  };
  const checkout = async (id: string) => {
    if (present !== id) await tree.checkout(id);
    present = id;
  };

  return {
    replayed: () => replayed,
    findings() {
      const files = present === undefined || skipped.length > 0 ? [] : [...tree.withoutContent.keys()];
      reportSkipped(
        begun
          ? unreached
          : "there is no sound baseline to start from, so nothing can be replayed before the next one",
      );
      return files.length === 0 ? findings : [...findings, contentNotStored(files, present ?? "")];
    },
    async replay(step, openDiff) {
      const { kind, from, to, fromTree, toTree, replayTree } = step;
      const isBaseline = kind === "baseline" || kind === "restarted";
      const before = fromTree ?? treeOfCommit.get(from) ?? "";
      const start = isBaseline ? emptyTree : (replayTrees.get(before) ?? before);
      if (!reached.has(start) || (step.diff !== null && openDiff === undefined)) {
        // A record that moves nothing has nothing to replay.
        if (from !== to) skipped.push(step);
        return;
      }
      reportSkipped(begun ? unreached : "replaying starts with the first baseline that is there");
      begun = true;
      try {
        await checkout(start);
        if (openDiff !== undefined) present = await tree.apply(openDiff());
      } catch (error) {
        if (!(error instanceof GitError) || /^git-(missing|disk-full)$/.test(error.code)) throw error;
        present = undefined;
        findings.push(doesNotApply(step, error));
        return;
      }
      const end = present as string;
      const expected = replayTree ?? toTree;
      if (expected !== null && expected !== end) {
        const files = openDiff === undefined ? [] : await tree.differing(openDiff());
        findings.push(leadsElsewhere(step, expected, end, files));
        present = undefined;
        return;
      }
      if (replayTree && toTree) {
        if (replayTrees.size === 0) findings.push(notCanonical(step, toTree, replayTree));
        replayTrees.set(toTree, replayTree);
      }
      reached.add(end);
      treeOfCommit.set(to, end);
      replayed++;
    },
  };
}

const nameOf = ({ diff, number }: CompleteStep) => diff ?? recordName(number);

function doesNotApply(step: CompleteStep, error: GitError): Finding {
  // The beginning of git's errors is about a host, and there is none here.
  const reason = error.message.slice(Math.max(error.message.indexOf("git "), 0));
  const message = `${nameOf(step)} does not apply to the tree before it: ${reason}`;
  return problem("replay-failed", nameOf(step), message, restore);
}

function leadsElsewhere(
  step: CompleteStep,
  expected: string,
  actual: string,
  files: readonly string[],
): Finding {
  const difference =
    files.length === 0
      ? "its headers name other ids than the tree has"
      : `${files.length === 1 ? "1 file differs" : `${files.length} files differ`} from its headers`;
  const message = `${nameOf(step)} leads to the tree ${actual} instead of ${expected}: ${difference}.`;
  const finding = problem("replay-differs", nameOf(step), message, restore);
  return files.length === 0 ? finding : { ...finding, paths: files.map(showPath) };
}

function notCanonical(step: CompleteStep, tree: string, replayTree: string): Finding {
  const message = `The tree ${tree} of ${recordName(step.number)} has entries that git would not write today, such as the mode 100664. Replaying leads to ${replayTree}, with the same files.`;
  const remedy =
    "Nothing is to be done. The diffs are right; the ids of such trees cannot be made from them.";
  return note("tree-not-canonical", recordName(step.number), message, remedy);
}

const unreached = "no replayed tree leads to their start, or their own diffs are damaged";

function notReplayed(steps: readonly CompleteStep[], reason: string): Finding {
  const [first, last] = [steps[0] as CompleteStep, steps.at(-1) as CompleteStep];
  const names =
    first === last ? recordName(first.number) : `${recordName(first.number)} to ${recordName(last.number)}`;
  const message = `${steps.length} steps, ${names}, were not replayed: ${reason}.`;
  const remedy =
    "Repair the other findings. Where the beginning has expired, or the cursor was set by hand, only a new baseline can be replayed.";
  return note("not-replayed", recordName(first.number), message, remedy);
}

function contentNotStored(files: readonly string[], tree: string): Finding {
  const message = `No diff contains the content of ${files.length} files in the last tree, ${tree}, because git treats them as binary: only their ids are proven.`;
  const remedy = "To store their content, collect with BINARY=include from a baseline on.";
  const finding = note("content-not-stored", tree, message, remedy);
  return { ...finding, paths: files.map(showPath).sort() };
}

/** Returns a path for people: as UTF-8, or as git quotes it where it is not valid UTF-8. */
function showPath(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(path, "latin1"));
  } catch {
    return path.replace(/[^ -~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`);
  }
}
