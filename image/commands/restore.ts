import { parseMoment } from "../config/place.ts";
import { readAll } from "../config/read-all.ts";
import { ConfigError } from "../lib/errors.ts";
import { restore } from "../mirror/restore.ts";
import { explain } from "../output/explain.ts";
import { jsonRestoreReport } from "../output/json.ts";
import type { Call } from "./call.ts";
import { openPlace, pathOf } from "./places.ts";
import { writeLine } from "./write.ts";

/** Makes a bare repository of a mirror's state. */
export async function restoreMirror({ args, environment, signal }: Call): Promise<boolean> {
  const { operands, options, problems } = args;
  const [place = "", name = ""] = operands;
  const [moment] = readAll(problems, () => parseMoment(options));
  const folder = pathOf(name, environment);
  const report = process.stdout.isTTY
    ? (await import("../output/terminal.ts")).terminalRestoreReport(process.stdout, place)
    : jsonRestoreReport(writeLine);
  try {
    const objects = await openPlace(place, environment, signal);
    const { record } = await restore(objects, folder, moment, { signal, onProgress: report.progress });
    report.restored({ place, folder, step: record.number, state: record.to });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    report.failed({ place, folder, ...explain(error) });
    return false;
  }
}
