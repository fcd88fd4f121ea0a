import { recordName, type StepRecord } from "../chain/record.ts";
import type { Cursor } from "../stores/stores.ts";
import { startOf } from "./check-record.ts";
import { type Finding, note } from "./finding.ts";

/** Compares the cursor with the end of the chain. */
export function checkCursor(name: string, cursor: Cursor | undefined, tail: StepRecord): Finding | undefined {
  const record = recordName(tail.number);
  const start = tail.last === null ? undefined : startOf(tail);
  const end = tail.state === "complete" ? tail.to : start;
  if (cursor?.commit === end) return undefined;
  if (cursor === undefined) {
    return note(
      "cursor-missing",
      name,
      `The cursor ${name} does not exist, but the chain leads to ${end} with ${record}: the cursor was deleted, or a run died just before it created the cursor.`,
      "Nothing: the next run recreates it at the end of the chain.",
    );
  }
  if (cursor.commit === start) {
    return note(
      "cursor-behind",
      name,
      `The cursor ${name} is still at ${start}, but ${record} is complete and leads to ${end}: a run died just before it moved the cursor, or is about to move it.`,
      "Nothing: the next run moves it.",
    );
  }
  return note(
    "cursor-set",
    name,
    `The cursor ${name} is at ${cursor.commit}, but the chain ends at ${end} with ${record}: the cursor was set by hand.`,
    `Nothing, if that was intended: the next run continues from the cursor, and a record will show it. Otherwise set it to ${end}.`,
  );
}
