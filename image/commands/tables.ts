import { ConfigError } from "../lib/errors.ts";
import { explain } from "../output/explain.ts";
import { writeEvent } from "../output/json.ts";
import { updateTables } from "../tables/update.ts";
import type { Call } from "./call.ts";
import { open } from "./open.ts";
import { writeLine } from "./write.ts";

/** Adds to the tables everything that they lack of the repositories. */
export async function makeTables(call: Call): Promise<boolean> {
  const { repositories, storesOf, tables } = await open(call);
  if (tables === undefined) throw new ConfigError(["No tables are configured: set TABLES_BUCKET."]);
  const store = tables.store(call.signal);
  const event = (name: string, facts: object) =>
    writeEvent(writeLine, name, { tables: store.address(""), ...facts });
  try {
    const collected = repositories.filter(({ mirror }) => !mirror);
    const tabled = collected.map((one) => tables.repository(one, storesOf(one, call.signal).objects));
    event("tables", await updateTables(store, tables.collection, tabled, true));
    return true;
  } catch (error) {
    event("failed", explain(error));
    return false;
  }
}
