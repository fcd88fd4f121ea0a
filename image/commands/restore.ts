import { join } from "node:path";
import { parseMoment, parseTarget } from "../config/place.ts";
import { readAll } from "../config/read-all.ts";
import { makeScratchFolder, removeAbandonedFolders } from "../git/scratch-folder.ts";
import { ConfigError } from "../lib/errors.ts";
import { refsDiffer } from "../mirror/push.ts";
import { restore } from "../mirror/restore.ts";
import { explain } from "../output/explain.ts";
import { jsonRestoreReport } from "../output/json.ts";
import type { Call } from "./call.ts";
import { openPlace, pathOf } from "./places.ts";
import { openPushTarget } from "./push.ts";
import { writeLine } from "./write.ts";

/** Makes a bare repository of a mirror's state, or pushes that to a host. */
export async function restoreMirror({ args, environment, signal }: Call): Promise<boolean> {
  const [place = ""] = args.operands;
  const [moment, { folder: name, exact }, target] = readAll(
    args.problems,
    () => parseMoment(args.options),
    () => parseTarget(args),
    () => openPushTarget(args.options.push, environment),
  );
  const report = process.stdout.isTTY
    ? (await import("../output/terminal.ts")).terminalRestoreReport(process.stdout, place)
    : jsonRestoreReport(writeLine);
  const named = name === undefined ? undefined : pathOf(name, environment);
  const facts = { place, ...(named && { folder: named }), ...(target && { url: target.url }) };
  try {
    await removeAbandonedFolders();
    const objects = await openPlace(place, environment, signal);
    await using scratch = named === undefined ? await makeScratchFolder() : undefined;
    const folder = named ?? join(scratch?.path ?? "", "repository.git");
    const onProgress = report.progress;
    const known = target && new Set<string>();
    const found = await restore(objects, folder, moment, { signal, onProgress }, known);
    const step = { step: found.record.number, state: found.record.to };
    if (named !== undefined) report.restored({ place, folder, ...step });
    if (!target || !known) return true;
    const { differences, ...pushed } = await target.push(folder, found, { known, exact, signal, onProgress });
    if (differences.length === 0) {
      report.pushed({ place, url: target.url, ...step, ...pushed });
      return true;
    }
    report.failed({ ...facts, ...explain(refsDiffer(differences)), ...step, ...pushed, differences });
    return false;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    report.failed({ ...facts, ...explain(error) });
    return false;
  }
}
