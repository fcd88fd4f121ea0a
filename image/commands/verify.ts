import { parseLockDays } from "../config/lock-days.ts";
import { parsePart } from "../config/place.ts";
import { labelOf } from "../config/repository.ts";
import { ConfigError } from "../lib/errors.ts";
import { jsonVerifyReport, nameOf } from "../output/json.ts";
import { type Verifiable, verifyAll } from "../verify/run.ts";
import { verify as verifyDiffs } from "../verify/verify.ts";
import { verifyMirror } from "../verify/verify-mirror.ts";
import { verifyTables } from "../verify/verify-tables.ts";
import type { Call } from "./call.ts";
import { type Opened, open } from "./open.ts";
import { openPlace, placesIn } from "./places.ts";
import { writeLine } from "./write.ts";

/** Verifies the results of the repositories, and the mirrors in the places that are named. */
export async function verify(call: Call): Promise<boolean> {
  const { args, environment, signal } = call;
  const { repositories, storesOf, settings, tables } = await open(call);
  const ofMirrors = { part: parsePart(args.options), lockDays: parseLockDays(args.options) };
  const options = { replay: args.options.replay === true, leaseMilliseconds: settings.leaseSeconds * 1_000 };
  const configured = repositories.map((repository): Verifiable => {
    const { destination, cursor } = repository;
    return {
      label: labelOf(repository),
      name: nameOf(repository),
      destination,
      verify(signal, onProgress) {
        const stores = storesOf(repository, signal);
        return repository.mirror
          ? verifyMirror(stores.objects, { ...options, ...ofMirrors, signal, onProgress })
          : verifyDiffs(stores, { ...options, cursorName: cursor, signal, onProgress });
      },
    };
  });
  const places = placesIn(args, environment).map(
    (place): Verifiable => ({
      label: place,
      name: { place },
      destination: place,
      verify: async (signal, onProgress) =>
        verifyMirror(await openPlace(place, environment, signal), {
          ...options,
          ...ofMirrors,
          signal,
          onProgress,
        }),
    }),
  );
  const added = args.options.tables ? tablesOf(tables, repositories, storesOf) : [];
  const given = ofMirrors.part ? "--part" : ofMirrors.lockDays && "--lock-days";
  if (given && places.length === 0 && !repositories.some(({ mirror }) => mirror)) {
    throw new ConfigError([`${given} is for mirrors, and none is named: give the place of one.`]);
  }
  const report = process.stdout.isTTY
    ? (await import("../output/terminal.ts")).terminalVerifyReport(process.stdout)
    : jsonVerifyReport(writeLine);
  const summary = await verifyAll([...configured, ...places, ...added], settings, signal, report);
  report.summary(summary);
  return summary.failed.length === 0;
}

/** Returns the tables, with the repositories whose steps are compared with them. @throws ConfigError where there are none */
function tablesOf(
  tables: Opened["tables"],
  repositories: Opened["repositories"],
  storesOf: Opened["storesOf"],
): Verifiable[] {
  if (tables === undefined)
    throw new ConfigError([
      "--tables: there are no tables. Begin them with the command tables; in the cloud, set TABLES_BUCKET.",
    ]);
  const label = `the tables of ${tables.collection}`;
  return [
    {
      label,
      name: { tables: tables.collection },
      destination: label,
      verify(signal, onProgress) {
        const collected = repositories.filter(({ mirror }) => !mirror);
        const tabled = collected.map((one) => tables.repository(one, storesOf(one, signal).objects));
        return verifyTables(tables.store(signal), tables.collection, tabled, tables.rows, onProgress);
      },
    },
  ];
}
