import { createHash } from "node:crypto";
import { LimitError } from "../lib/errors.ts";
import { type LineHandlers, lineReader } from "./sections.ts";

/** What a diff contains, counted from its own bytes. */
export interface DiffStatistics {
  readonly bytes: number;
  readonly sha256: string;
  readonly files: number;
  readonly binaryFiles: number;
  readonly linesAdded: number;
  readonly linesRemoved: number;
}

export interface CountedDiff {
  /** The bytes of the diff, unchanged. @throws LimitError as soon as the diff exceeds the limit */
  readonly bytes: AsyncGenerator<Uint8Array, void, void>;
  /** Returns the statistics. They are final once `bytes` has ended. */
  statistics(): DiffStatistics;
  /** Returns whether a file was renamed, or its mode changed, and nothing shows whether it is binary. */
  hidesContent(): boolean;
}

/** Counts what passes through a diff. @param also reads the same lines */
export function countDiff(
  diff: AsyncIterable<Uint8Array>,
  maxBytes: number,
  also?: LineHandlers,
): CountedDiff {
  const hash = createHash("sha256");
  const counts = { bytes: 0, sha256: "", files: 0, binaryFiles: 0, linesAdded: 0, linesRemoved: 0 };
  let file = "";
  let [showsContent, hidesContent] = [true, false];
  const readLines = lineReader({
    header(line) {
      also?.header(line);
      if (line.startsWith("diff --git ")) {
        // A file that becomes a link, for example, is deleted and created again, in two sections.
        if (line !== file) counts.files++;
        file = line;
        hidesContent ||= !showsContent;
        showsContent = false;
      }
      showsContent ||= line.startsWith("index ");
      if (line.startsWith("Binary files ") || line === "GIT binary patch") counts.binaryFiles++;
    },
    hunkLine(firstByte) {
      also?.hunkLine?.(firstByte);
      if (firstByte === plus) counts.linesAdded++;
      if (firstByte === minus) counts.linesRemoved++;
    },
    ...(also?.hunk && { hunk: (bytes) => also.hunk?.(bytes) }),
  });
  async function* bytes() {
    for await (const chunk of diff) {
      counts.bytes += chunk.length;
      if (counts.bytes > maxBytes) throw tooLarge(maxBytes);
      hash.update(chunk);
      readLines(chunk);
      yield chunk;
    }
    counts.sha256 = hash.digest("hex");
  }
  return { bytes: bytes(), statistics: () => counts, hidesContent: () => hidesContent || !showsContent };
}

const [plus, minus] = [..."+-"].map((character) => character.charCodeAt(0));

const tooLarge = (maxBytes: number) =>
  new LimitError(
    "diff-too-large",
    `The diff is larger than MAX_DIFF_BYTES (${maxBytes} bytes).`,
    "Raise MAX_DIFF_BYTES to store it. Otherwise each run tries again, with the changes up to its own day.",
  );
