import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asCommit } from "./cursor.ts";
import { CursorError, StoreError } from "./errors.ts";
import type { CursorStore, ObjectStore } from "./stores.ts";

/** A cursor in a file of its own. */
export function fileCursor(path: string): CursorStore {
  const read = async () => {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new CursorError(
        "cursor-unreadable",
        `The cursor ${path} cannot be read: ${(error as Error).message}.`,
        "Make the file readable.",
        { cause: error },
      );
    }
    return { commit: asCommit(path, text.trimEnd()), version: text };
  };
  return {
    read,
    async move(from, to) {
      if ((await read())?.version !== from?.version) throw moved(path);
      const temporary = `${path}.${randomUUID()}`;
      try {
        await write(temporary, one(Buffer.from(`${to}\n`)));
        // A link fails where the file is there already: nobody else's first cursor is overwritten.
        if (from === undefined) await link(temporary, path);
        else await rename(temporary, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") throw moved(path);
        throw new CursorError(
          "cursor-unwritable",
          `The cursor ${path} cannot be written: ${(error as Error).message}.`,
          "Make the folder writable.",
          { cause: error },
        );
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}

/** Objects as files below a folder. */
export function folderObjects(folder: string): ObjectStore {
  return {
    place: (name) => join(folder, name),
    async put(name, body) {
      const path = join(folder, name);
      const temporary = `${path}.${randomUUID()}`;
      try {
        await write(temporary, body);
        await rename(temporary, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
        throw new StoreError(
          "store-failed",
          `${path} cannot be written: ${(error as Error).message}.`,
          "Make room, or the folder writable.",
          { cause: error },
        );
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}

async function write(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "wx");
  try {
    for await (const chunk of body) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function* one(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}

const moved = (path: string) =>
  new CursorError(
    "cursor-moved",
    `The cursor ${path} was moved by somebody else during the run.`,
    "The next run goes on from where it is now.",
  );
