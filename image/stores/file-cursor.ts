import { randomUUID } from "node:crypto";
import { link, readFile, rename, stat } from "node:fs/promises";
import { CursorError } from "../lib/errors.ts";
import { cursorMoved, parseCursor } from "./cursor.ts";
import { codeOf, toStream, writeAtomically } from "./files.ts";
import type { CursorStore } from "./stores.ts";

/** Keeps a cursor in a file of its own. */
export function fileCursor(path: string): CursorStore {
  const read = async () => {
    try {
      const [text, { ino, mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
      return { commit: parseCursor(path, text.trimEnd()), version: 0, identity: `${ino}@${mtimeMs}` };
    } catch (error) {
      if (error instanceof CursorError) throw error;
      if (codeOf(error) === "ENOENT") return undefined;
      throw new CursorError(
        "cursor-unreadable",
        `The cursor ${path} cannot be read: ${(error as Error).message}.`,
        "Make the file readable.",
        { cause: error },
      );
    }
  };
  return {
    read,
    async move(from, to) {
      if ((await read())?.identity !== from?.identity) throw cursorMoved(path);
      try {
        // A first cursor never replaces one that another process has just written.
        const place = from === undefined ? link : rename;
        await writeAtomically(`${path}.${randomUUID()}`, toStream(`${to}\n`), path, place);
      } catch (error) {
        if (codeOf(error) === "EEXIST") throw cursorMoved(path);
        throw new CursorError(
          "cursor-unwritable",
          `The cursor ${path} cannot be written: ${(error as Error).message}.`,
          "Make the folder writable.",
          { cause: error },
        );
      }
    },
  };
}
