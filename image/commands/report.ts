import { parseSince } from "../config/since.ts";
import { StoreError } from "../lib/errors.ts";
import { makeReport, writeReport } from "../report/write-report.ts";
import type { Call } from "./call.ts";
import { completeTables, openReport } from "./tables.ts";

/** Completes the tables, and makes a page of them to look at: of the repositories that are named, or of all. */
export async function reportTables(call: Call): Promise<boolean> {
  const { args, signal } = call;
  const since = parseSince(args.options);
  const events = await openReport();
  const completed = await completeTables(call, events);
  if (completed === undefined) return false;
  const { tables, names } = completed;
  const { store, name } = tables.report(signal);
  const place = { report: store.address(name) };
  try {
    const named = args.operands.length > 0 ? new Set(names) : undefined;
    const report = await writeReport(store, name, () =>
      makeReport(tables.store(signal), tables.collection, { since, named }),
    );
    if (report === undefined) throw nothingYet();
    events.report({ ...place, bytes: Buffer.byteLength(report) });
    return true;
  } catch (error) {
    events.failed(place, error);
    return false;
  }
}

const nothingYet = () =>
  new StoreError(
    "report-empty",
    "There is nothing to show: the tables have no change in this time.",
    "A baseline is no change. Collect again after a commit, or reach further back with --since.",
  );
