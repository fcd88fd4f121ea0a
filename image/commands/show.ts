import { parseMoment, parsePath } from "../config/place.ts";
import { readAll } from "../config/read-all.ts";
import { ConfigError } from "../lib/errors.ts";
import { show as readPath } from "../mirror/show.ts";
import { explain } from "../output/explain.ts";
import { writeEvent } from "../output/json.ts";
import type { Call } from "./call.ts";
import { openPlace } from "./places.ts";
import { messagesOf } from "./write.ts";

/** Writes one file of a mirror to stdout. */
export async function show({ args, environment, signal }: Call): Promise<boolean> {
  const [place = "", target = ""] = args.operands;
  const [moment, shown] = readAll(
    args.problems,
    () => parseMoment(args.options),
    () => (args.problems.length > 0 ? { ref: "", path: "" } : parsePath(target)),
  );
  try {
    process.stdout.write(await readPath(await openPlace(place, environment, signal), shown, moment));
    return true;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const messages = messagesOf(args);
    writeEvent((text) => messages.write(text), "failed", { place, ...shown, ...explain(error) });
    return false;
  }
}
