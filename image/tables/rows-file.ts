import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip, gzipSync } from "node:zlib";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { CommitRow } from "./commit-rows.ts";
import type { FileRow } from "./file-rows.ts";

/** The rows of one step in the order in which the tables have them, without what is the same for the whole step. */
export interface StepRows {
  readonly commits: readonly CommitRow[];
  readonly files: readonly FileRow[];
}

/** What a record says of its step's rows. */
export interface RowsFacts {
  /** Their object beside the record. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly commits: number;
  readonly files: number;
}

type Line =
  | { readonly table: "commits"; readonly row: CommitRow }
  | { readonly table: "files"; readonly row: FileRow };

/** Writes rows to a file of this computer: JSON lines, in gzip. */
export interface RowsFile {
  write(lines: readonly Line[]): Promise<void>;
  /** Stores the file, under a name of its content, and returns what it is. @throws StoreError */
  store(objects: ObjectStore, number: number): Promise<RowsFacts>;
}

export async function openRowsFile(path: string): Promise<RowsFile> {
  const file = await open(path, "w");
  const hash = createHash("sha256");
  const counts = { bytes: 0, commits: 0, files: 0 };
  return {
    async write(lines) {
      if (lines.length === 0) return;
      const text = lines.map(({ table, row }) => `${JSON.stringify({ table, ...row })}\n`).join("");
      // A file of several gzip members is one gzip file.
      const content = gzipSync(text);
      await file.writeFile(content);
      hash.update(content);
      counts.bytes += content.length;
      for (const { table } of lines) counts[table]++;
    },
    async store(objects, number) {
      await file.close();
      const sha256 = hash.digest("hex");
      // Two runs may make other rows of one step, as one was configured otherwise: each record names its own.
      const name = `_rows/${String(number).padStart(10, "0")}-${sha256.slice(0, 12)}.jsonl.gz`;
      const details = { contentType: "application/gzip", metadata: {} };
      await objects.put(name, createReadStream(path) as AsyncIterable<Uint8Array>, details);
      return { name, sha256, ...counts };
    },
  };
}

/** Reads the rows of a step, whose record has these facts. @throws StoreError where they are not there, or others */
export async function readRows(objects: ObjectStore, { name, sha256, bytes }: RowsFacts): Promise<StepRows> {
  const hash = createHash("sha256");
  const parts: Uint8Array[] = [];
  for await (const chunk of objects.read(name)) {
    hash.update(chunk);
    parts.push(chunk);
  }
  const content = Buffer.concat(parts);
  if (content.length !== bytes || hash.digest("hex") !== sha256) throw damaged(objects.address(name));
  const rows = { commits: [] as CommitRow[], files: [] as FileRow[] };
  const gunzip = createGunzip();
  gunzip.end(content);
  let rest = "";
  for await (const chunk of gunzip.setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const { table, ...row } = JSON.parse(line);
      rows[table as keyof StepRows].push(row);
    }
  }
  return rows;
}

const damaged = (address: string) =>
  new StoreError(
    "rows-damaged",
    `${address} is not what its record says.`,
    "Restore it from the bucket's versions, or remove it and run the command tables, which makes it anew from the diff.",
  );
