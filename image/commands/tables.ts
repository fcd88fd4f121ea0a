import { makeRowsAgain } from "../collect/rows-again.ts";
import type { Repository } from "../config/repository.ts";
import { withDeadline } from "../lib/deadline.ts";
import { ConfigError } from "../lib/errors.ts";
import { jsonTablesReport, nameOf } from "../output/json.ts";
import type { TableRepository } from "../tables/table-repository.ts";
import type { TablesReport } from "../tables/tables-report.ts";
import { updateTables } from "../tables/update.ts";
import type { Call } from "./call.ts";
import { hostsFor } from "./hosts-for.ts";
import { open } from "./open.ts";
import type { Tables } from "./open-tables.ts";
import { writeLine } from "./write.ts";

/** Adds to the tables everything that they lack of the repositories. */
export async function makeTables(call: Call): Promise<boolean> {
  return (await completeTables(call, await openReport())) !== undefined;
}

export const openReport = async (): Promise<TablesReport> =>
  process.stdout.isTTY
    ? (await import("../output/terminal.ts")).terminalTablesReport(process.stdout)
    : jsonTablesReport(writeLine);

/**
 * Does that, and returns the tables and the names of the repositories in them. Reports every failure; undefined where there
 * was one. @throws ConfigError
 */
export async function completeTables(
  call: Call,
  report: TablesReport,
): Promise<{ readonly tables: Tables; readonly names: readonly string[] } | undefined> {
  const { signal } = call;
  const { repositories, storesOf, tables, settings, identity } = await open(call);
  if (tables === undefined) throw new ConfigError(["No tables are configured: set TABLES_BUCKET."]);
  const store = tables.store(signal);
  const network = { hosts: hostsFor(settings), identity, rows: tables.rows };
  const toTable = (repository: Repository): TableRepository => {
    const { objects } = storesOf(repository, signal);
    return {
      ...tables.repository(repository, objects),
      rowsAgain: (record) =>
        withDeadline(settings.timeoutSeconds, signal, (signal) =>
          makeRowsAgain(repository, objects, record, settings, network, signal),
        ),
    };
  };
  const collected = repositories.filter(({ mirror }) => !mirror).map((one) => [one, toTable(one)] as const);
  const place = { tables: store.address("") };
  try {
    const tabled = collected.map(([, table]) => table);
    const options = { ...tables.rows, search: true };
    const { steps, failures } = await updateTables(
      store,
      tables.collection,
      tabled,
      options,
      report.progress,
    );
    for (const [repository, { name }] of collected) {
      const failure = failures.get(name);
      if (failure) report.failed({ ...place, ...nameOf(repository) }, failure);
    }
    report.tables({ ...place, steps });
    return failures.size === 0 ? { tables, names: tabled.map(({ name }) => name) } : undefined;
  } catch (error) {
    report.failed(place, error);
    return undefined;
  }
}
