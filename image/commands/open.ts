import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Arguments } from "../config/arguments.ts";
import { type Configuration, readEnvironment } from "../config/environment.ts";
import { parseLockDays } from "../config/lock-days.ts";
import { parsePart } from "../config/place.ts";
import { readAll } from "../config/read-all.ts";
import type { Repository } from "../config/repository.ts";
import { readSettings } from "../config/settings.ts";
import { readRowSettings } from "../config/tables.ts";
import { removeAbandonedFolders } from "../git/scratch-folder.ts";
import { type AwsIdentity, awsIdentity } from "../host/codecommit.ts";
import type { Environment } from "../lib/environment.ts";
import { ConfigError } from "../lib/errors.ts";
import { isGone } from "../lib/process-name.ts";
import { awsHttp } from "../stores/aws-http.ts";
import { openParameterStore } from "../stores/parameter-store.ts";
import { openS3 } from "../stores/s3.ts";
import { ssmCursor } from "../stores/ssm.ts";
import type { Stores } from "../stores/stores.ts";
import type { Call } from "./call.ts";
import { localTables, type Tables, workerTables } from "./open-tables.ts";
import { placesIn } from "./places.ts";

/** The repositories that a command is about, and where their results are. */
export interface Opened extends Configuration {
  readonly identity: () => Promise<AwsIdentity>;
  readonly isGone: (processName: string) => boolean;
  readonly storesOf: (repository: Repository, signal: AbortSignal) => Stores;
  /** Undefined where no tables are made. */
  readonly tables: Tables | undefined;
}

/** Opens the repositories of the command line on this computer, and those of the environment elsewhere. @throws ConfigError */
export const open = ({ args, environment }: Pick<Call, "args" | "environment">): Promise<Opened> =>
  (args.local ? openLocal : openWorker)(args, environment);

async function openWorker({ problems }: Arguments, environment: Environment): Promise<Opened> {
  const configuration = readEnvironment(environment, new Date(), problems);
  const requestHandler = awsHttp(configuration.awsAuthorities);
  const s3 = openS3(environment, requestHandler);
  // One provider for all, or each would fetch credentials of its own.
  const { credentials } = s3.client.config;
  const parameters = openParameterStore(environment, { requestHandler, credentials });
  await s3.client.config.region().catch((error: Error) => {
    throw new ConfigError([`The AWS region is not known (${error.message}): set AWS_REGION.`]);
  });
  const storesOf = ({ destination, cursor }: Repository, signal: AbortSignal): Stores => ({
    cursor: ssmCursor(parameters, cursor, signal),
    objects: s3.objects(destination, signal),
  });
  const tables = configuration.tables && workerTables(configuration.tables, s3.objects);
  // In another container, a process of the same number is another one.
  return { ...configuration, storesOf, identity: credentials, isGone: () => false, tables };
}

async function openLocal(args: Arguments, environment: Environment): Promise<Opened> {
  if (process.platform === "win32") {
    throw new ConfigError(["On Windows, run this in WSL: https://learn.microsoft.com/windows/wsl/install."]);
  }
  const [{ readLocalRepositories }, { fileCursor }, { folderObjects }] = await Promise.all([
    import("../config/local-repositories.ts"),
    import("../stores/file-cursor.ts"),
    import("../stores/folder.ts"),
  ]);
  const storesOf = ({ cursor, destination }: Repository): Stores => ({
    cursor: fileCursor(cursor),
    objects: folderObjects(destination),
  });
  await removeAbandonedFolders();
  const places = placesIn(args, environment);
  const names = args.operands.filter((name) => !places.includes(name));
  const [settings, repositories, rows] = readAll(
    args.problems,
    () => readSettings(environment, new Date()),
    () =>
      names.length === 0 && places.length > 0
        ? []
        : readLocalRepositories(names, environment, process.cwd(), args.command === "mirror"),
    () => readRowSettings(environment),
    () => parsePart(args.options),
    () => parseLockDays(args.options),
  );
  const folder = join(process.cwd(), "git-diffs");
  // These commands begin them. From then on, every run adds to them.
  const isBegun = ["tables", "report"].includes(args.command) || existsSync(join(folder, "tables"));
  const tables = isBegun ? await localTables(folder, rows, folderObjects) : undefined;
  return { repositories, settings, storesOf, identity: awsIdentity(), isGone, tables };
}
