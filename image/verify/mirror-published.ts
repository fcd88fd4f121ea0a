import { recordName } from "../chain/record.ts";
import { StoreError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { settleAll } from "../lib/settle.ts";
import {
  cursorName,
  cursorText,
  headName,
  infoRefsName,
  listedPacks,
  type MirrorCursor,
  packsFile,
  packsName,
  readMirrorCursor,
} from "../mirror/published.ts";
import { parseState, stateId } from "../mirror/state.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, note, problem } from "./finding.ts";
import type { VerifiedStep } from "./mirror-chain.ts";

type Step = Pick<VerifiedStep, "number" | "to" | "head" | "packs" | "lfsMissing">;

/** Before the first step. A file that is not there is empty. */
const nothing: Step = { number: 0, to: emptyTree, head: "", packs: [] };

/**
 * Compares the cursor and the files that plain git reads with the newest step.
 * @param isChanged whether that step's record is known to be wrong
 * @throws StoreError
 */
export async function checkPublished(
  objects: ObjectStore,
  steps: readonly VerifiedStep[],
  isChanged: boolean,
): Promise<Finding[]> {
  const last = steps.at(-1) ?? nothing;
  const before = steps.at(-2) ?? nothing;
  const [packs, head, infoRefs, cursor] = await settleAll(
    objects.get(packsName),
    objects.get(headName),
    objects.get(infoRefsName),
    readMirrorCursor(objects).catch(explainCursor),
  );
  const position = "code" in cursor ? cursor : checkCursor(cursor, last, before);
  const findings = position ? [position] : [];
  if (last.number === 0) return findings;
  if ("number" in cursor && cursor.state === idOf(head?.text, infoRefs?.text)) {
    // The cursor and the refs agree, so it is the record that is wrong, or missing.
    if (isChanged && cursor.number === last.number) return [];
    if (cursor.number > last.number) return findings;
  }
  // A run that was killed while it published, or is at work, has published some of the files, in their order.
  const allowed = position?.level === "note" ? [last, before] : [last];
  const refs = checkRefs(head?.text ?? "", infoRefs?.text ?? "", allowed, steps);
  if (refs) findings.push(refs);
  const text = packs?.text ?? "";
  if (!allowed.some((step) => text === (step.number === 0 ? "" : packsFile(step.packs)))) {
    findings.push(otherPacks(listedPacks({ packs }), last));
  }
  return findings;
}

function explainCursor(error: unknown): Finding {
  if (!(error instanceof StoreError) || error.code !== "mirror-damaged") throw error;
  return problem("cursor-invalid", cursorName, error.message, repairCursor);
}

function checkCursor(cursor: MirrorCursor, last: Step, before: Step): Finding | undefined {
  const isAt = (step: Step) => cursor.number === step.number && cursor.state === step.to;
  if (isAt(last)) return undefined;
  const there = `The cursor is at step ${cursor.number}`;
  if (isAt(before) && before.number === last.number - 1) {
    const message = `${there}, but ${recordName(last.number)} is complete: a run died before it had published that step, or is about to publish it.`;
    return note("cursor-behind", cursorName, message, "Nothing: the next run publishes it.");
  }
  const should = `${repairCursor} It should contain: ${cursorText(last).trim()}`;
  if (cursor.number > last.number) {
    const message = `${there}, but the chain ends with step ${last.number}: the records of the last steps are missing.`;
    const remedy =
      "Restore the records from the bucket's versions or a backup. Without them, the mirror cannot go on.";
    return problem("cursor-ahead", cursorName, message, remedy);
  }
  if (cursor.number < last.number) {
    const message = `${there}, but the chain has steps up to ${last.number}: it was set back.`;
    return problem("cursor-behind", cursorName, message, should);
  }
  const message = `${there} with the state ${cursor.state}, but that step's state is ${last.to}.`;
  return problem("cursor-invalid", cursorName, message, should);
}

function checkRefs(
  head: string,
  infoRefs: string,
  allowed: readonly Step[],
  steps: readonly VerifiedStep[],
): Finding | undefined {
  const [last = nothing, before] = allowed;
  const both = `${headName} and ${infoRefsName}`;
  const id = idOf(head, infoRefs);
  if (allowed.some(({ to, number }) => (number === 0 ? head + infoRefs === "" : to === id))) return undefined;
  // HEAD is published first.
  const isNew = head === `${last.head}\n` || head === "";
  const refs = parseState("\n", infoRefs);
  if (before && isNew && refs) {
    if (before.number === 0 ? infoRefs === "" : stateId({ ...refs, head: before.head }) === before.to)
      return undefined;
  }
  const old = steps.findLast(({ to }) => to === id);
  if (old) {
    const message = `${both} have the state of step ${old.number} instead of step ${last.number}: they were set back to an older one, and clones lack what came later.`;
    return problem("refs-rolled-back", infoRefsName, message, repairRefs(last));
  }
  const message = `${both} do not have the state ${last.to} of step ${last.number}, nor that of any other step: one of them was changed.`;
  return problem("refs-changed", infoRefsName, message, repairRefs(last));
}

function idOf(head = "", infoRefs = ""): string | undefined {
  const state = parseState(head, infoRefs);
  return state && stateId(state);
}

function otherPacks(listed: readonly string[], { number, packs }: Step): Finding {
  const [has, needs] = [new Set(listed), new Set(packs)];
  const missing = packs.filter((name) => !has.has(name)).join(", ");
  const more = listed.filter((name) => !needs.has(name)).join(", ");
  const differences = [missing && `lacks ${missing}`, more && `has ${more} besides`].filter(Boolean);
  const difference = differences.join(" and ") || "has another order";
  const effect = missing && ": clones fail, or lack objects";
  return problem(
    "packs-list-changed",
    packsName,
    `${packsName} ${difference}, unlike step ${number}${effect}.`,
    `Restore it from the bucket's versions, or write it anew: a line "P <pack>.pack" for each of the packs in ${recordName(number)}, and an empty line.`,
  );
}

const repairCursor = "Restore it from the bucket's versions, or write it anew.";

const repairRefs = ({ number }: Step) =>
  `The next run that finds something new writes both from the records. To have them sooner, restore them from the bucket's versions, or restore --step ${number} into a folder, run git update-server-info there, and copy HEAD and info/refs.`;
