import { type LineHandlers, parseSection, type Section } from "../diff/sections.ts";
import { describePath } from "./path-description.ts";
import { pathText } from "./path-text.ts";
import type { Row, StepColumn } from "./schema.ts";

/** What a diff shows of one file. The rest of its row is the same for the whole step, or comes from .gitattributes. */
export type FileRow = Omit<Row<"files">, StepColumn | "to_commit">;

/** What a diff shows of one hunk. */
export type HunkRow = Omit<Row<"hunks">, StepColumn>;

const [plus, minus] = [..."+-"].map((character) => character.charCodeAt(0));

interface OpenFile {
  /** Its `diff --git` line, which a second section repeats where the file became another type. */
  readonly name: string;
  readonly section: Section;
  readonly start: number;
  hunks: number;
  added: number;
  removed: number;
  isBinary: boolean;
  /** The section that creates the file again. */
  again?: Section;
}

/**
 * Returns handlers for `lineReader` that make a row of each file in a diff, and pass it to `onRow` once it is complete. Call
 * `end` after the diff.
 * @param onHunk receives a row of each hunk
 */
export function readFileRows(
  onRow: (row: FileRow) => void,
  onHunk?: (row: HunkRow) => void,
): LineHandlers & { end(): void } {
  let [offset, position] = [0, 0];
  let head: string[] | undefined;
  let headAt = 0;
  let file: OpenFile | undefined;
  const close = (end: number) => {
    if (file) onRow(rowOf(file, position++, end));
    file = undefined;
  };
  const endHead = () => {
    if (head === undefined) return;
    const section = parseSection(head);
    const [name = ""] = head;
    head = undefined;
    if (file?.name === name) file.again = section;
    else {
      close(headAt);
      file = { name, section, start: headAt, hunks: 0, added: 0, removed: 0, isBinary: false };
    }
  };
  return {
    header(line) {
      if (line.startsWith("diff --git ")) {
        endHead();
        [head, headAt] = [[line], offset];
      } else {
        head?.push(line);
        const isHunk = line.startsWith("@@ -");
        const isBinary = line.startsWith("Binary files ") || line === "GIT binary patch";
        if (head && (isHunk || isBinary)) endHead();
        if (file && isHunk) {
          file.hunks++;
          onHunk?.(hunkOf(file, line));
        }
        if (file && isBinary) file.isBinary = true;
      }
      offset += line.length + 1;
    },
    hunkLine(firstByte) {
      if (file === undefined) return;
      if (firstByte === plus) file.added++;
      if (firstByte === minus) file.removed++;
    },
    hunk(bytes) {
      offset += bytes.length;
    },
    end() {
      endHead();
      close(offset);
    },
  };
}

/** @param line such as `@@ -3,2 +3 @@`, where one line is not counted: https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html */
function hunkOf({ section, again }: OpenFile, line: string): HunkRow {
  const [, oldStart, oldLines, newStart, newLines] =
    /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
  return {
    path: pathText((again ?? section).after ?? section.before ?? ""),
    old_start: Number(oldStart),
    old_lines: Number(oldLines ?? 1),
    new_start: Number(newStart),
    new_lines: Number(newLines ?? 1),
  };
}

const submodule = "160000";

function rowOf(file: OpenFile, position: number, end: number): FileRow {
  const { section, again, isBinary } = file;
  const { before, similarity, modeBefore } = section;
  const { after, mode } = again ?? section;
  const path = after ?? before ?? "";
  const isRename = similarity !== undefined;
  const modes = {
    old_mode: before === undefined ? null : (modeBefore ?? null),
    mode: after === undefined ? null : (mode ?? null),
  };
  const known = modes.mode ?? modes.old_mode;
  return {
    position,
    status: statusOf(file),
    similarity: similarity ?? null,
    old_path: isRename ? pathText(before ?? "") : null,
    path: pathText(path),
    ...modes,
    old_blob: before === undefined ? null : (section.ids?.before ?? null),
    blob: after === undefined ? null : ((again ?? section).ids?.after ?? null),
    // A binary file that becomes a link has lines too.
    lines_added: isBinary && file.hunks === 0 ? null : file.added,
    lines_removed: isBinary && file.hunks === 0 ? null : file.removed,
    hunks: file.hunks,
    is_binary: isBinary,
    is_submodule: known === null ? null : known === submodule,
    ...describePath(path),
    patch_offset: file.start,
    patch_bytes: end - file.start,
  };
}

function statusOf({ section: { before, after, similarity }, again }: OpenFile): string {
  if (again) return "T";
  if (before === undefined) return "A";
  if (after === undefined) return "D";
  return similarity === undefined ? "M" : "R";
}
