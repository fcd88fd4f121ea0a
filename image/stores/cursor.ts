import { CursorError } from "../lib/errors.ts";
import { objectIdPattern } from "../lib/object-id.ts";

/** Returns the commit id that a cursor's value is. @throws CursorError unless it is exactly a full commit id */
export function parseCursor(name: string, value: string): string {
  if (objectIdPattern.test(value)) return value;
  const shown = value.length > 80 ? `${value.slice(0, 80)}...` : value;
  throw new CursorError(
    "cursor-invalid",
    `The cursor ${name} holds "${shown}", which is no commit id.`,
    "Set it to the full 40-digit id of the last collected commit, or delete it to start with a new baseline.",
  );
}

/** The error of a move that found the cursor elsewhere than where it was read. */
export const cursorMoved = (name: string) =>
  new CursorError(
    "cursor-moved",
    `The cursor ${name} was moved by another process during the run.`,
    "The next run continues from where the cursor is then.",
  );
