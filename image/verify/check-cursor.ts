import { recordName, type StepRecord } from "../chain/record.ts";
import type { Cursor } from "../stores/stores.ts";
import { startOf } from "./check-record.ts";
import { type Finding, note } from "./finding.ts";

/**
 * Compares the cursor with where the chain ends.
 * @param name of the cursor
 */
export function checkPosition(
  name: string,
  cursor: Cursor | undefined,
  tail: StepRecord,
): Finding | undefined {
  const record = recordName(tail.number);
  const start = tail.last === null ? undefined : startOf(tail);
  const end = tail.state === "complete" ? tail.to : start;
  if (cursor?.commit === end) return undefined;
  if (cursor === undefined) {
    return note(
      "cursor-missing",
      name,
      `The cursor ${name} is not there, though the chain has come to ${end} with ${record}: it was deleted, or a run ended just before it was made.`,
      "Nothing: the next run makes it again at the end of the chain.",
    );
  }
  if (cursor.commit === start) {
    return note(
      "cursor-behind",
      name,
      `The cursor ${name} is still at ${start}, though ${record} is complete and leads to ${end}: a run ended just before it moved the cursor, or is about to.`,
      "Nothing: the next run moves it.",
    );
  }
  return note(
    "cursor-set",
    name,
    `The cursor ${name} is at ${cursor.commit}, but the chain ends at ${end} with ${record}: it was set by hand.`,
    `Nothing, if it was meant: the next run goes on from there, and a record will say so. Otherwise set it to ${end}.`,
  );
}
