/** The type of a column. `strings` is a list of texts. Days and times are UTC, times in whole milliseconds. */
export type ColumnType = "string" | "strings" | "int" | "bigint" | "boolean" | "date" | "timestamp";

export interface Column {
  readonly type: ColumnType;
  /** Whether every row has a value. */
  readonly required?: boolean;
  /** What the column contains, with its unit, and when it is null. */
  readonly is: string;
}

export type Columns = Readonly<Record<string, Column>>;

const string = (is: string) => ({ type: "string", is }) as const;
const int = (is: string) => ({ type: "int", is }) as const;
const bigint = (is: string) => ({ type: "bigint", is }) as const;
const boolean = (is: string) => ({ type: "boolean", is }) as const;
const timestamp = (is: string) => ({ type: "timestamp", is }) as const;
const required = <C extends Column>(column: C) => ({ ...column, required: true }) as const;

/** What leads from a row to its step. Every table begins with it. */
const step = {
  repository: required(string("the repository's name in the configuration, or the name of its folder")),
  chain: required(string("which chain of steps: daily")),
  number: required(bigint("the step's number in its chain, from 1")),
  day: required({
    type: "date",
    is: "the day that the step closes: the UTC date of the moment before scheduled_at, so a run at midnight belongs to the day before",
  }),
} satisfies Columns;

/**
 * The tables, their columns in order. The Parquet files, the Glue tables, the data contract, the README beside the tables and
 * docs/tables.md are made of this. New columns come last and may be null; anything else is a new version.
 */
export const tables = {
  steps: {
    ...step,
    scheduled_at: required(timestamp("when the run was due")),
    kind: required(string("change, rewritten, baseline or restarted; see docs/format.md")),
    url: required(string("the clone URL")),
    ref: required(string("the branch, as refs/heads/main")),
    from_commit: required(string("the commit before; git's empty tree for a baseline")),
    to_commit: required(string("the commit after")),
    from_tree: string("the tree of from_commit; null where it was not fetched"),
    to_tree: string("the tree of to_commit; null where it was not fetched"),
    commits: int("commits that to_commit has and from_commit has not; null for a baseline"),
    files: int("files in the diff; null where it could not be read"),
    binary_files: int("binary files among them"),
    lines_added: bigint("lines added in text files"),
    lines_removed: bigint("lines removed in text files"),
    diff_key: string(
      "where the diff is: its whole key in the bucket, or its path below git-diffs; null without a change",
    ),
    diff_bytes: bigint("size of the diff in bytes"),
    diff_sha256: string("SHA-256 of the diff in hexadecimal digits"),
    strategy: string("how the step was fetched: blobless, shallow, deepened or full"),
    pack_bytes: bigint("size in bytes of the packs that the host sent"),
    git_version: required(string("the git that made the diff")),
    worker_version: required(string("the worker that stored it")),
    started_at: required(timestamp("when the run began the step")),
    finished_at: required(timestamp("when the step was complete")),
  },
  commits: {
    ...step,
    commit_id: required(string("the commit, as 40 hexadecimal digits")),
    tree_id: required(string("its tree")),
    parents: required({ type: "strings", is: "its parents; two and more for a merge" }),
    author_id: string(
      "the author: a keyed hash of the e-mail address, or the address; null where people are omitted",
    ),
    author_name: string("null unless people are plain"),
    author_email: string("null unless people are plain"),
    authored_at: timestamp("when the author wrote it; null where the commit has no valid time"),
    author_tz_minutes: int("the author's time zone: minutes ahead of UTC"),
    committer_id: string("the committer, in the way of author_id"),
    committer_name: string("null unless people are plain"),
    committer_email: string("null unless people are plain"),
    committed_at: timestamp("when it was committed; null where the commit has no valid time"),
    committer_tz_minutes: int("the committer's time zone: minutes ahead of UTC"),
    subject: string("the first paragraph of the message in one line; null where people are omitted"),
    message: string("the whole message; null unless people are plain"),
    trailers: string("the message's trailers: a JSON list of [key, value]; null where there is none"),
  },
  files: {
    ...step,
    to_commit: required(string("the commit after the step")),
    position: required(int("the place of the file in the diff, from 0")),
    status: required(string("A added, M modified, D deleted, R renamed, T of another type")),
    similarity: int("of a rename: how much stayed, in per cent"),
    old_path: string("of a rename: the path before"),
    path: required(
      string("the path; of a deletion the one before. Quoted as git quotes it where it is not UTF-8"),
    ),
    old_mode: string("six octal digits; null for an added file, and where the diff does not show it"),
    mode: string("six octal digits; null for a deleted file, and where the diff does not show it"),
    old_blob: string("the content's id before; null for an added file, and where the content stayed"),
    blob: string("the content's id after; null for a deleted file, and where the content stayed"),
    lines_added: int("null for a binary file"),
    lines_removed: int("null for a binary file"),
    hunks: required(int("places in the file that changed")),
    is_binary: required(
      boolean("whether the diff says so; a binary file that was only renamed is not marked"),
    ),
    is_submodule: boolean(
      "whether it is a commit of another repository; null where the diff does not show it",
    ),
    extension: string("the end of the file's name, in lower case, without the dot"),
    language: string("the programming or other language, by the file's name"),
    patch_offset: required(bigint("where the file's part of the diff begins, in bytes")),
    patch_bytes: required(bigint("how long that part is, in bytes")),
    is_generated: boolean(
      "whether .gitattributes or the path says that a program wrote it; null where unknown",
    ),
    is_vendored: boolean(
      "whether .gitattributes or the path says that it comes from elsewhere; null where unknown",
    ),
    is_test: boolean("whether the path is that of a test"),
  },
  hunks: {
    ...step,
    path: required(string("the path of the file, as in files")),
    old_start: required(
      int("the first line before, from 1; where there was none, the line behind which the hunk is"),
    ),
    old_lines: required(int("lines before, the unchanged ones around included")),
    new_start: required(int("the first line after, in the way of old_start")),
    new_lines: required(int("lines after, the unchanged ones around included")),
  },
} as const satisfies Record<string, Columns>;

export type TableName = keyof typeof tables;

/** Returns the tables that are made. @param hunks whether that of hunks is */
export const tableNames = (hunks: boolean): readonly TableName[] =>
  (Object.keys(tables) as TableName[]).filter((table) => table !== "hunks" || hunks);

type Value = {
  string: string;
  strings: readonly string[];
  int: number;
  bigint: number;
  boolean: boolean;
  date: string;
  timestamp: string;
};

/** The columns that say which step a row belongs to. */
export type StepColumn = keyof typeof step;

/** A row of any table, in JSON. */
export type AnyRow = Readonly<Record<string, unknown>>;

/** A row in JSON: a date as 2026-01-02, a time in ISO 8601. */
export type Row<T extends TableName> = {
  readonly [C in keyof (typeof tables)[T]]: (typeof tables)[T][C] extends infer D extends Column
    ? D extends { readonly required: true }
      ? Value[D["type"]]
      : Value[D["type"]] | null
    : never;
};
