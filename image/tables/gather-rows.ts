import type { LineHandlers } from "../diff/sections.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import type { RowSettings } from "../lib/row-settings.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { commitRow } from "./commit-rows.ts";
import { type FileRow, type HunkRow, readFileRows } from "./file-rows.ts";
import { parseMailmap } from "./mailmap.ts";
import { readMarks } from "./marks.ts";
import { openPeople } from "./people.ts";
import { openRowsFile, type RowsFacts } from "./rows-file.ts";

/** Gathers the rows of one step while its diff is read. */
export interface Gatherer {
  /** Read the lines of the diff. */
  readonly lines: LineHandlers;
  /** Writes what has gathered, so that memory stays bounded. Call it often. @throws GitError */
  flush(): Promise<void>;
  /** Adds the commits, and stores everything beside the step's record. @throws GitError, StoreError */
  store(
    objects: ObjectStore,
    number: number,
    found: {
      /** The commits between the two; undefined for a baseline. */
      readonly commits:
        | AsyncIterable<readonly { readonly id: string; readonly content: Buffer }[]>
        | undefined;
      readonly mailmap: string | undefined;
    },
  ): Promise<RowsFacts>;
}

/** In a portion, which is in memory. */
const rowsAtOnce = 2_000;

/**
 * @param scratch has in its work tree the `.gitattributes` of the newer commit
 */
export function gatherRows(scratch: ScratchRepository, settings: RowSettings, path: string): Gatherer {
  const file = openRowsFile(path, settings.hunks);
  let gathered: FileRow[] = [];
  let hunks: HunkRow[] = [];
  const { end, ...lines } = readFileRows(
    (row) => gathered.push(row),
    settings.hunks ? (row) => hunks.push(row) : undefined,
  );
  const write = async (rows: readonly FileRow[]) => {
    const marks = await readMarks(
      scratch,
      rows.map(({ path }) => path),
    );
    const marked = rows.map((row, index) => ({
      ...row,
      is_generated: marks[index]?.generated ?? row.is_generated,
      is_vendored: marks[index]?.vendored ?? row.is_vendored,
    }));
    await file.write(marked.map((row) => ({ table: "files", row })));
  };
  const writeHunks = async () => {
    await file.write(hunks.map((row) => ({ table: "hunks", row })));
    hunks = [];
  };
  const flush = async () => {
    if (hunks.length >= rowsAtOnce) await writeHunks();
    for (; gathered.length >= rowsAtOnce; gathered = gathered.slice(rowsAtOnce)) {
      await write(gathered.slice(0, rowsAtOnce));
    }
  };
  return {
    lines,
    flush,
    async store(objects, number, { commits, mailmap = "" }) {
      end();
      await flush();
      if (gathered.length > 0) await write(gathered);
      await writeHunks();
      const known = openPeople(settings.people, parseMailmap(mailmap));
      for await (const portion of commits ?? []) {
        await file.write(
          portion.map(({ id, content }) => ({ table: "commits", row: commitRow(id, content, known) })),
        );
      }
      return file.store(objects, number);
    },
  };
}
