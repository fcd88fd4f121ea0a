import { type Column, type ColumnType, type TableName, tables } from "./schema.ts";

/** What each table has a row for. */
export const rowOf: Readonly<Record<TableName, string>> = {
  steps: "a step: one diff, or a step without a change",
  commits: "a commit that a step brought; none for a baseline, which has no commit before it",
  files: "a file that a step changed",
  hunks: "a hunk of a file, where TABLES_HUNKS asked for them",
};

/** The type of a column as SQL names it. */
const sqlTypes: Readonly<Record<ColumnType, string>> = {
  string: "varchar",
  strings: "array of varchar",
  int: "integer",
  bigint: "bigint",
  boolean: "boolean",
  date: "date",
  timestamp: "timestamp",
};

const names = Object.keys(tables) as TableName[];
const columnsOf = (table: TableName): [string, Column][] => Object.entries(tables[table]);

/** Returns the tables and their columns in Markdown, for docs/tables.md and for the README beside the tables. */
export const columnsMarkdown = (): string =>
  names
    .map((table) => {
      const rows = columnsOf(table).map(
        ([name, { type, required, is }]) =>
          `| \`${name}\` | ${sqlTypes[type]}${required ? "" : ", may be null"} | ${is} |`,
      );
      return `### \`${table}\`\n\nA row is ${rowOf[table]}.\n\n| column | type | |\n|---|---|---|\n${rows.join("\n")}\n`;
    })
    .join("\n");

/** Returns the README that lies beside the tables. */
export const tablesReadme = (): string => `# Tables of what changed in git repositories

Written by git-diff-to-s3. There is a Parquet file for each table, month and collection:
\`<table>/month=<year>-<month>/<collection>.parquet\`. Runs add rows to the files of the month, each step exactly once. New columns come
last and may be null; anything else would be a folder v2 beside this one. contract.odcs.yaml is the same for programs.

\`\`\`sql
SELECT path, lines_added, lines_removed FROM 'files/*/*.parquet' ORDER BY day DESC, lines_added DESC LIMIT 10;
\`\`\`

${columnsMarkdown()}`;

/** The logical types of a data contract. */
const logicalTypes: Readonly<Record<ColumnType, string>> = {
  string: "string",
  strings: "array",
  int: "integer",
  bigint: "integer",
  boolean: "boolean",
  date: "date",
  timestamp: "timestamp",
};

/** Returns the data contract, in YAML: https://bitol-io.github.io/open-data-contract-standard/v3.1.0/ */
export function dataContract(): string {
  // A text in JSON is one in YAML too.
  const text = (value: string) => JSON.stringify(value);
  const property = ([name, { type, required, is }]: [string, Column]): string[] => [
    `      - name: ${name}`,
    `        logicalType: ${logicalTypes[type]}`,
    `        physicalType: ${text(sqlTypes[type])}`,
    ...(type === "strings" ? ["        items:", "          logicalType: string"] : []),
    `        required: ${required === true}`,
    `        description: ${text(is)}`,
  ];
  const lines = names.flatMap((table) => [
    `  - name: ${table}`,
    "    logicalType: object",
    "    physicalType: parquet",
    `    description: ${text(`A row is ${rowOf[table]}.`)}`,
    "    properties:",
    ...columnsOf(table).flatMap(property),
  ]);
  const head = [
    "apiVersion: v3.1.0",
    "kind: DataContract",
    "id: git-diff-to-s3-tables",
    "name: Tables of what changed in git repositories",
    "version: 1.0.0",
    "status: active",
    "schema:",
  ];
  return `${[...head, ...lines].join("\n")}\n`;
}
