import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CursorError, StoreError } from "../lib/errors.ts";
import { asCommit } from "./cursor.ts";
import type { CursorStore, ObjectStore } from "./stores.ts";

/** A cursor in a file of its own. */
export function fileCursor(path: string): CursorStore {
  const read = async () => {
    try {
      const [text, { ino, mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
      return { commit: asCommit(path, text.trimEnd()), version: 0, identity: `${ino}@${mtimeMs}` };
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
      if ((await read())?.identity !== from?.identity) throw moved(path);
      const temporary = `${path}.${randomUUID()}`;
      try {
        await write(temporary, one(`${to}\n`));
        // A link fails where the file is there already: nobody else's first cursor is overwritten.
        if (from === undefined) await link(temporary, path);
        else await rename(temporary, path);
      } catch (error) {
        if (codeOf(error) === "EEXIST") throw moved(path);
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
  /** Writes beside the place and puts it there with `put`, so that it appears whole. */
  const appear = async (
    name: string,
    body: AsyncIterable<Uint8Array>,
    put: (from: string, to: string) => Promise<void>,
  ) => {
    const path = join(folder, name);
    const temporary = join(folder, "_unfinished", randomUUID());
    try {
      await mkdir(dirname(path), { recursive: true });
      await write(temporary, body);
      await put(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  };
  const failing = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      throw new StoreError(
        "store-failed",
        `${join(folder, name)} cannot be read or written: ${(error as Error).message}.`,
        "Make room, or the folder accessible.",
        { cause: error },
      );
    }
  };
  const get = async (name: string) => {
    try {
      const text = await readFile(join(folder, name), "utf8");
      return { text, tag: tagOf(text) };
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  };
  return {
    place: (name) => join(folder, name),
    put: (name, body) => failing(name, () => appear(name, body, rename)),
    get: (name) => failing(name, () => get(name)),
    putIf: (name, text, tag) =>
      failing(name, async () => {
        if (tag !== undefined && (await get(name))?.tag !== tag) return undefined;
        try {
          await appear(name, one(text), tag === undefined ? link : rename);
          return tagOf(text);
        } catch (error) {
          if (codeOf(error) === "EEXIST") return undefined;
          throw error;
        }
      }),
    async *list(prefix, after = "") {
      const below = dirname(`${prefix}x`);
      const names = await readdir(join(folder, below)).catch((error) => {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      });
      for (const name of names.map((name) => join(below, name)).sort()) {
        const found = name.startsWith(prefix) && name > after ? await stat(join(folder, name)) : undefined;
        if (found?.isFile()) yield { name, bytes: found.size };
      }
    },
    async *read(name) {
      try {
        yield* createReadStream(join(folder, name));
      } catch (error) {
        await failing(name, () => Promise.reject(error));
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

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

const tagOf = (text: string) => createHash("sha256").update(text).digest("hex");

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

const moved = (path: string) =>
  new CursorError(
    "cursor-moved",
    `The cursor ${path} was moved by somebody else during the run.`,
    "The next run goes on from where it is now.",
  );
