import { CursorError } from "../lib/errors.ts";

/** @throws CursorError unless the text is a full commit id, as the bash version left it too */
export function asCommit(name: string, text: string): string {
  if (/^[0-9a-f]{40}$/.test(text)) return text;
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  throw new CursorError(
    "cursor-invalid",
    `The cursor ${name} holds "${shown}", which is no commit id.`,
    "Set it to the full 40-digit id of the last collected commit, or delete it to start with a new baseline.",
  );
}
