import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes a file whole or not at all: to `temporary` first, which then becomes the file by `place`. That is `rename`,
 * which replaces a file, or `link`, which fails where there is one.
 */
export async function writeAtomically(
  temporary: string,
  body: AsyncIterable<Uint8Array>,
  path: string,
  place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(dirname(temporary), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      for await (const chunk of body) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

const staleLockMilliseconds = 60_000;

/**
 * Holds a file that exists as long as the lock. @throws an error with code EEXIST if another process holds it.
 * The lock of a process that died is removed after a minute. The process that removes it still gets EEXIST, once.
 */
export async function lock(path: string): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await (await open(path, "wx")).close();
  } catch (error) {
    const held = await stat(path).catch(() => undefined);
    if (held && Date.now() - held.mtimeMs > staleLockMilliseconds) await rm(path, { force: true });
    throw error;
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

export async function* toStream(content: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof content === "string" ? new TextEncoder().encode(content) : content;
}

/** Returns the system's code of an error, such as ENOENT. */
export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
