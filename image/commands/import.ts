import { readAll } from "../config/read-all.ts";
import { ConfigError } from "../lib/errors.ts";
import { explain } from "../output/explain.ts";
import { writeEvent } from "../output/json.ts";
import { readDelta } from "../transfer/delta-file.ts";
import { importDelta } from "../transfer/import.ts";
import type { Call } from "./call.ts";
import { fileOf, openPlace } from "./places.ts";
import { writeLine } from "./write.ts";

/** Adds the steps in a file to a place. */
export async function importChain({ args, environment, signal }: Call): Promise<boolean> {
  const [delta = "", place = ""] = args.operands;
  readAll(args.problems);
  const event = (name: string, facts: object) => writeEvent(writeLine, name, { delta, place, ...facts });
  try {
    const objects = await openPlace(place, environment, signal);
    event("imported", await importDelta(readDelta(fileOf(delta, environment), signal), objects, signal));
    return true;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    event("failed", explain(error));
    return false;
  }
}
