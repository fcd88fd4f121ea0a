import { expect, test } from "bun:test";
import { summarise } from "../../../image/report/summary.ts";
import type { AnyRow, TableName } from "../../../image/tables/schema.ts";

const repository = "api";

/** One step of each kind, each with a file of its own and with one that all change. */
const kinds = ["baseline", "change", "rewritten", "restarted"] as const;
const steps = kinds.map((kind, index) => ({
  ...{ repository, number: index + 1, day: `2026-01-0${index + 1}`, kind },
  commits: kind === "baseline" || kind === "restarted" ? null : 2,
}));
const files = steps.flatMap(({ kind, number, day }) =>
  [`${kind}/own`, "all/shared"].map((path) => ({
    ...{ repository, number, day, path, lines_added: 10 ** number, lines_removed: 1 },
    ...{ is_generated: null, is_vendored: null },
  })),
);

async function* read(table: TableName): AsyncGenerator<AnyRow[]> {
  const rows: Partial<Record<TableName, AnyRow[]>> = { steps, files };
  yield rows[table] ?? [];
}

test("changes are counted, also those of a rewritten history; beginnings of a chain are not", async () => {
  const { days, files, folders } = await summarise(read);
  const day = { repository, commits: 2, files: 2, removed: 2, leftOut: 0 };
  expect(days).toEqual([
    { ...day, day: "2026-01-02", added: 200 },
    { ...day, day: "2026-01-03", added: 2_000 },
  ]);
  expect(files).toEqual([
    { repository, path: "change/own", days: 1, lines: 101 },
    { repository, path: "all/shared", days: 2, lines: 1_102 },
    { repository, path: "rewritten/own", days: 1, lines: 1_001 },
  ]);
  expect(folders.map(({ folder, lines }) => [folder, lines])).toEqual([
    ["change", 101],
    ["all", 1_102],
    ["rewritten", 1_001],
  ]);
});
