/** The part of a diff that is about one file, as its header describes it. Paths are bytes, in latin1. */
export interface Section {
  /** Undefined where the file is new. */
  readonly before: string | undefined;
  /** Undefined where the file is deleted. */
  readonly after: string | undefined;
  /** The file's mode afterwards, or before where it is deleted; undefined where the header has none. */
  readonly mode: string | undefined;
  /** The file's mode before; undefined where it is new, or where the header has none. */
  readonly modeBefore: string | undefined;
  /** Of a rename, in per cent. */
  readonly similarity: number | undefined;
  /** Undefined where only the name or the mode changed. */
  readonly ids: { readonly before: string; readonly after: string } | undefined;
  /** Whether the diff leaves out the content ("Binary files ... differ"). */
  readonly omitted: boolean;
}

/** What `lineReader` calls while it reads a diff. */
export interface LineHandlers {
  /** Receives a whole line outside of the hunks. */
  header(line: string): void;
  /** Receives the first byte of each line of a hunk. */
  hunkLine?(firstByte: number | undefined): void;
  /** Receives bytes of hunks, in whole lines or not. */
  hunk?(bytes: Uint8Array): void;
}

const newline = "\n".charCodeAt(0);
const [plus, minus, space] = [..."+- "].map((character) => character.charCodeAt(0));

/**
 * Returns a function that reads a diff chunk by chunk. The counts in a hunk's header give the number of its lines, so
 * content that looks like a header is never taken for one. A binary patch contains no spaces, and every header does.
 */
export function lineReader(handlers: LineHandlers): (chunk: Uint8Array) => void {
  let [before, after] = [0, 0];
  let header = "";
  let atLineStart = true;
  let inHunk = false;
  return (chunk) => {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let passed = 0;
    const passHunk = (end: number) => {
      if (end > passed) handlers.hunk?.(chunk.subarray(passed, end));
    };
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(newline, start);
      const stop = end < 0 ? chunk.length : end;
      // Decided at a line's start and kept to its end: a line may come in several chunks.
      if (atLineStart) inHunk = before > 0 || after > 0;
      if (inHunk) {
        if (atLineStart) {
          const first = chunk[start];
          handlers.hunkLine?.(first);
          if (first === plus || first === space) after--;
          if (first === minus || first === space) before--;
        }
      } else {
        passHunk(start);
        passed = Math.min(stop + 1, chunk.length);
        header += buffer.toString("latin1", start, stop);
        if (end >= 0) {
          const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(header);
          if (hunk) [before, after] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
          handlers.header(header);
          header = "";
        }
      }
      atLineStart = end >= 0;
      start = stop + 1;
    }
    passHunk(chunk.length);
  };
}

/** Streams the sections of a diff. Each is followed by its bytes, header included. */
export async function* streamSections(diff: AsyncIterable<Uint8Array>): AsyncGenerator<Section | Uint8Array> {
  let ready: (Section | Uint8Array)[] = [];
  let head: string[] | undefined;
  const endHead = () => {
    if (head !== undefined) ready.push(parseSection(head), Buffer.from(`${head.join("\n")}\n`, "latin1"));
    head = undefined;
  };
  const readLines = lineReader({
    header(line) {
      if (line.startsWith("diff --git ")) {
        endHead();
        head = [line];
      } else if (head === undefined) {
        ready.push(Buffer.from(`${line}\n`, "latin1"));
      } else {
        head.push(line);
        if (/^(@@ -|Binary files |GIT binary patch$)/.test(line)) endHead();
      }
    },
    hunk: (bytes) => ready.push(bytes),
  });
  for await (const chunk of diff) {
    readLines(chunk);
    yield* ready;
    ready = [];
  }
  endHead();
  yield* ready;
}

/** Parses a section's lines before its first hunk. */
export function parseSection(head: readonly string[]): Section {
  const field = (name: string) => head.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  const [from, to] = [field("rename from"), field("rename to")];
  // Without a rename both names are the same, so each is half of the line.
  const names = field("diff --git") ?? "";
  const name = unquote(names.slice(0, (names.length - 1) / 2)).slice("a/".length);
  const index = /^([0-9a-f]{40})\.\.([0-9a-f]{40})(?: (\d{6}))?$/.exec(field("index") ?? "");
  const [created, deleted] = [field("new file mode"), field("deleted file mode")];
  return {
    before: created === undefined ? (from === undefined ? name : unquote(from)) : undefined,
    after: deleted === undefined ? (to === undefined ? name : unquote(to)) : undefined,
    mode: created ?? deleted ?? field("new mode") ?? index?.[3],
    modeBefore: deleted ?? field("old mode") ?? index?.[3],
    similarity: from === undefined ? undefined : Number.parseInt(field("similarity index") ?? "", 10),
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
