import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, readdir, readFile, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StoreError } from "../lib/errors.ts";
import { codeOf, lock, toStream, writeAtomically } from "./files.ts";
import { notThere } from "./not-there.ts";
import type { ObjectStore } from "./stores.ts";

/** Keeps objects as files below a folder. */
export function folderObjects(folder: string): ObjectStore {
  const write = (name: string, body: AsyncIterable<Uint8Array>, place: typeof rename) =>
    writeAtomically(join(folder, "_unfinished", randomUUID()), body, join(folder, name), place).then(
      () => true,
    );
  const getBytes = async (name: string) => {
    try {
      const bytes = await readFile(join(folder, name));
      return { bytes, etag: etagOf(bytes) };
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  };
  const create = (name: string, body: AsyncIterable<Uint8Array>) =>
    unlessTaken(() => write(name, body, link));
  const replace = (name: string, content: string | Uint8Array, etag: string) =>
    unlessTaken(async () => {
      await using _ = await lock(join(folder, "_unfinished", `${basename(name)}.lock`));
      if ((await getBytes(name))?.etag !== etag) return false;
      // Awaited here: a lock ends where its block ends.
      return await write(name, toStream(content), rename);
    });
  /** Runs `work`, and turns the system's errors into StoreErrors. */
  const mapErrors = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      if (codeOf(error) === "ENOENT") throw notThere(join(folder, name), { cause: error });
      throw new StoreError(
        "store-failed",
        `${join(folder, name)} cannot be read or written: ${(error as Error).message}.`,
        "Free disk space, or make the folder accessible.",
        { cause: error },
      );
    }
  };
  return {
    address: (name) => join(folder, name),
    put: (name, body) => mapErrors(name, () => create(name, body)),
    async get(name) {
      const found = await mapErrors(name, () => getBytes(name));
      return found && { text: found.bytes.toString(), etag: found.etag };
    },
    getBytes: (name) => mapErrors(name, () => getBytes(name)),
    putIf: (name, content, etag) =>
      mapErrors(name, async () => {
        const isWritten = await (etag === undefined
          ? create(name, toStream(content))
          : replace(name, content, etag));
        return isWritten ? etagOf(content) : undefined;
      }),
    async *list(prefix, after = "") {
      const below = dirname(`${prefix}x`);
      // Of what is beside the objects of a folder, such as the folder of another mirror, nothing is listed.
      const recursive = prefix.endsWith("/");
      const names = await readdir(join(folder, below), { recursive }).catch((error) => {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      });
      for (const name of names.map((name) => join(below, name)).sort()) {
        const found = name.startsWith(prefix) && name > after ? await stat(join(folder, name)) : undefined;
        if (found?.isFile()) yield { name, bytes: found.size };
      }
    },
    async *read(name, part) {
      try {
        const range = part && { start: part.start, end: part.start + part.length - 1 };
        yield* createReadStream(join(folder, name), range);
      } catch (error) {
        await mapErrors(name, () => Promise.reject(error));
      }
    },
  };
}

/** Returns false where a file, or the lock on it, is there already. */
async function unlessTaken(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

const etagOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
