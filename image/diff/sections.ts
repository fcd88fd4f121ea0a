/** One file's part of a diff, as its header tells. Paths are bytes, in latin1. */
export interface Section {
  /** Undefined where the file is new. */
  readonly before: string | undefined;
  /** Undefined where the file is deleted. */
  readonly after: string | undefined;
  /** The file's mode afterwards, or before where it is deleted; undefined where the header does not say. */
  readonly mode: string | undefined;
  /** Undefined where only the name or the mode changed. */
  readonly ids: { readonly before: string; readonly after: string } | undefined;
  /** "Binary files ... differ": the content is not in the diff. */
  readonly omitted: boolean;
}

/** What `lineReader` tells of a diff. */
export interface Lines {
  /** A whole line that is no line of a hunk. */
  header(line: string): void;
  /** A line of a hunk begins with this byte. */
  mark?(byte: number | undefined): void;
  /** Bytes of hunks, whole lines or not. */
  hunk?(bytes: Uint8Array): void;
}

const newline = "\n".charCodeAt(0);
const [plus, minus, space] = [..."+- "].map((character) => character.charCodeAt(0));

/**
 * Reads a diff chunk by chunk. Inside a hunk the counts in its header say which lines are content, so that content
 * which looks like a header is never taken for one; a binary patch has no blanks, which every header has.
 */
export function lineReader(lines: Lines): (chunk: Uint8Array) => void {
  let [before, after] = [0, 0];
  let header = "";
  let atStart = true;
  let content = false;
  return (chunk) => {
    let told = 0;
    const tell = (end: number) => {
      if (end > told) lines.hunk?.(chunk.subarray(told, end));
    };
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(newline, start);
      const stop = end < 0 ? chunk.length : end;
      // Said at a line's start and kept to its end: the line may come in several chunks.
      if (atStart) content = before > 0 || after > 0;
      if (content) {
        if (atStart) {
          const mark = chunk[start];
          lines.mark?.(mark);
          if (mark === plus || mark === space) after--;
          if (mark === minus || mark === space) before--;
        }
      } else {
        tell(start);
        told = Math.min(stop + 1, chunk.length);
        header += Buffer.from(chunk.subarray(start, stop)).toString("latin1");
        if (end >= 0) {
          const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(header);
          if (hunk) [before, after] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
          lines.header(header);
          header = "";
        }
      }
      atStart = end >= 0;
      start = stop + 1;
    }
    tell(chunk.length);
  };
}

/** The sections of a diff, each followed by its bytes, header included. */
export async function* sections(diff: AsyncIterable<Uint8Array>): AsyncGenerator<Section | Uint8Array> {
  let read: (Section | Uint8Array)[] = [];
  let head: string[] | undefined;
  const endHead = () => {
    if (head !== undefined) read.push(parseSection(head), Buffer.from(`${head.join("\n")}\n`, "latin1"));
    head = undefined;
  };
  const reader = lineReader({
    header(line) {
      if (line.startsWith("diff --git ")) {
        endHead();
        head = [line];
      } else if (head === undefined) {
        read.push(Buffer.from(`${line}\n`, "latin1"));
      } else {
        head.push(line);
        if (/^(@@ -|Binary files |GIT binary patch$)/.test(line)) endHead();
      }
    },
    hunk: (bytes) => read.push(bytes),
  });
  for await (const chunk of diff) {
    reader(chunk);
    yield* read;
    read = [];
  }
  endHead();
  yield* read;
}

function parseSection(head: readonly string[]): Section {
  const field = (name: string) => head.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  const [from, to] = [field("rename from"), field("rename to")];
  // Without a rename both names are the same, and so each is half of the line.
  const names = field("diff --git") ?? "";
  const name = unquote(names.slice(0, (names.length - 1) / 2)).slice("a/".length);
  const index = /^([0-9a-f]{40})\.\.([0-9a-f]{40})(?: (\d{6}))?$/.exec(field("index") ?? "");
  const [created, deleted] = [field("new file mode"), field("deleted file mode")];
  return {
    before: created === undefined ? (from === undefined ? name : unquote(from)) : undefined,
    after: deleted === undefined ? (to === undefined ? name : unquote(to)) : undefined,
    mode: created ?? deleted ?? field("new mode") ?? index?.[3],
    ids: index ? { before: index[1] ?? "", after: index[2] ?? "" } : undefined,
    omitted: head.at(-1)?.startsWith("Binary files ") ?? false,
  };
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
};

/** Undoes git's C-style quoting. */
function unquote(name: string): string {
  if (!name.startsWith('"')) return name;
  return name
    .slice(1, -1)
    .replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
      /^\d/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? code),
    );
}
