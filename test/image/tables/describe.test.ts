import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { columnsMarkdown, dataContract, tablesReadme } from "../../../image/tables/describe.ts";
import { openTableFile } from "../../../image/tables/parquet.ts";
import { type Columns, type TableName, tables } from "../../../image/tables/schema.ts";

const names = Object.keys(tables) as TableName[];

test("docs/tables.md and the README beside the tables have the columns of the schema", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/tables.md"), "utf8");
  expect(page.endsWith(columnsMarkdown())).toBe(true);
  expect(tablesReadme().endsWith(columnsMarkdown())).toBe(true);
});

test("the data contract is YAML, and has each column with its description", () => {
  const contract = Bun.YAML.parse(dataContract()) as {
    apiVersion: string;
    kind: string;
    schema: { name: string; properties: { name: string; required: boolean; description: string }[] }[];
  };
  expect(contract).toMatchObject({ apiVersion: "v3.1.0", kind: "DataContract" });
  expect(contract.schema.map(({ name }) => name)).toEqual(names);
  for (const { name, properties } of contract.schema) {
    const columns: Columns = tables[name as TableName];
    expect(properties.map(({ name, required, description }) => [name, required, description])).toEqual(
      Object.entries(columns).map(([name, { required, is }]) => [name, required === true, is]),
    );
  }
});

test("a file without rows has the columns of its table, and of no other", async () => {
  for (const table of names) {
    const file = (await openTableFile(undefined, table))?.end([]);
    for (const other of names) expect((await openTableFile(file, other)) !== undefined).toBe(table === other);
  }
});
