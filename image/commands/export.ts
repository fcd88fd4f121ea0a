import { readAll } from "../config/read-all.ts";
import { parseExport } from "../config/transfer.ts";
import { ConfigError } from "../lib/errors.ts";
import { explain } from "../output/explain.ts";
import { writeEvent } from "../output/json.ts";
import { writeDelta } from "../transfer/delta-file.ts";
import { exportDelta } from "../transfer/export.ts";
import type { Call } from "./call.ts";
import { fileOf, openPlace } from "./places.ts";
import { messagesOf } from "./write.ts";

/** Writes steps of a chain as one file. */
export async function exportChain({ args, environment, signal }: Call): Promise<boolean> {
  const [place = ""] = args.operands;
  const messages = messagesOf(args);
  const event = (name: string, facts: object) =>
    writeEvent((text) => messages.write(text), name, { place, ...facts });
  try {
    const [{ since, output: name }] = readAll(args.problems, () => parseExport(args.options));
    const output = fileOf(name, environment);
    const { content, ...facts } = await exportDelta(await openPlace(place, environment, signal), since);
    await writeDelta(output, content(), signal);
    event("exported", { output, ...facts });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    event("failed", explain(error));
    return false;
  }
}
