import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { createGunzip, gzipSync } from "node:zlib";
import { rowsName } from "../chain/record.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { CommitRow } from "./commit-rows.ts";
import type { FileRow, HunkRow } from "./file-rows.ts";

/** Some rows of one step, without what is the same for the whole step. */
export interface StepRows {
  readonly commits: readonly CommitRow[];
  readonly files: readonly FileRow[];
  readonly hunks: readonly HunkRow[];
}

/** What a record says of its step's rows. */
export interface RowsFacts {
  /** Their object beside the record. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly commits: number;
  readonly files: number;
  /** Undefined where they were not gathered. */
  readonly hunks?: number | undefined;
}

type Line =
  | { readonly table: "commits"; readonly row: CommitRow }
  | { readonly table: "files"; readonly row: FileRow }
  | { readonly table: "hunks"; readonly row: HunkRow };

/** Gathers rows: JSON lines, in gzip. */
export interface RowsFile {
  write(lines: readonly Line[]): Promise<void>;
  /** Stores them, under a name of their content, and returns what it is. @throws StoreError */
  store(objects: ObjectStore, number: number): Promise<RowsFacts>;
}

/** In bytes. Most steps have fewer, which stay in memory. */
const mostInMemory = 1024 * 1024;

/**
 * @param path for rows that do not fit in memory
 * @param hunks whether there are rows of hunks
 */
export function openRowsFile(path: string, hunks: boolean): RowsFile {
  let parts: Buffer[] = [];
  let waiting = 0;
  let isBegun = false;
  /** Replaces what an attempt before has left. */
  const spill = async () => {
    await (isBegun ? appendFile : writeFile)(path, Buffer.concat(parts));
    [parts, waiting, isBegun] = [[], 0, true];
  };
  const hash = createHash("sha256");
  const counts = { bytes: 0, commits: 0, files: 0, hunks: 0 };
  return {
    async write(lines) {
      if (lines.length === 0) return;
      const text = lines.map(({ table, row }) => `${JSON.stringify({ table, ...row })}\n`).join("");
      // A file of several gzip members is one gzip file.
      const content = gzipSync(text);
      hash.update(content);
      counts.bytes += content.length;
      for (const { table } of lines) counts[table]++;
      parts.push(content);
      waiting += content.length;
      if (waiting > mostInMemory) await spill();
    },
    async store(objects, number) {
      const sha256 = hash.digest("hex");
      const name = rowsName(number, sha256);
      const details = { contentType: "application/gzip", metadata: {} };
      // By one request. The name is that of the content: what is there already is the same.
      if (!isBegun) await objects.putIf(name, Buffer.concat(parts), undefined, details);
      else {
        await spill();
        await objects.put(name, createReadStream(path) as AsyncIterable<Uint8Array>, details);
      }
      return { name, sha256, ...counts, hunks: hunks ? counts.hunks : undefined };
    },
  };
}

/** In a portion, which is in memory. */
const rowsAtOnce = 2_000;

/**
 * Streams the rows of a step, whose record has these facts, in portions.
 * @throws StoreError at the end, where they are others than the record says
 */
export async function* readRows(
  objects: ObjectStore,
  { name, sha256, bytes }: RowsFacts,
): AsyncGenerator<StepRows> {
  const hash = createHash("sha256");
  let received = 0;
  const content = async function* () {
    for await (const chunk of objects.read(name)) {
      hash.update(chunk);
      received += chunk.length;
      yield chunk;
    }
  };
  const fail = () => damaged(objects.address(name));
  const none = () => ({ commits: [] as CommitRow[], files: [] as FileRow[], hunks: [] as HunkRow[] });
  let portion = none();
  let rest = "";
  try {
    const unpacked = createGunzip().setEncoding("utf8");
    // Not by pipe(), which loses errors of what it reads.
    pipeline(Readable.from(content()), unpacked, () => {});
    for await (const chunk of unpacked) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { table, ...row } = JSON.parse(line);
        portion[table as keyof StepRows].push(row);
      }
      if (portion.commits.length + portion.files.length + portion.hunks.length < rowsAtOnce) continue;
      yield portion;
      portion = none();
    }
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith("Z_") || error instanceof SyntaxError
      ? fail()
      : error;
  }
  if (received !== bytes || hash.digest("hex") !== sha256) throw fail();
  yield portion;
}

const damaged = (address: string) =>
  new StoreError(
    "rows-damaged",
    `${address} is not what its record says.`,
    "Restore it from the bucket's versions, or remove it and run the command tables, which makes it anew from the diff.",
  );
