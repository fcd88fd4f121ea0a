import { resolve } from "node:path";
import { collect } from "./collect/collect.ts";
import { type Arguments, parseArguments, usage } from "./config/arguments.ts";
import { type Configuration, readEnvironment } from "./config/environment.ts";
import { isMirrorPlace, parseMoment, parsePart, parsePlace } from "./config/place.ts";
import { readAll } from "./config/read-all.ts";
import { labelOf, type Repository } from "./config/repository.ts";
import { readAwsAuthorities, readSettings } from "./config/settings.ts";
import { parseExport } from "./config/transfer.ts";
import { removeAbandonedFolders } from "./git/scratch-folder.ts";
import { readGitVersion } from "./git/scratch-repository.ts";
import { type AwsIdentity, awsIdentity } from "./host/codecommit.ts";
import { openHosts } from "./host/hosts.ts";
import type { Environment } from "./lib/environment.ts";
import { ConfigError, LimitError } from "./lib/errors.ts";
import { isGone } from "./lib/process-name.ts";
import { mirror } from "./mirror/mirror.ts";
import { explain } from "./output/explain.ts";
import {
  jsonRestoreReport,
  jsonRunReport,
  jsonVerifyReport,
  nameOf,
  writeConfigError,
  writeEvent,
} from "./output/json.ts";
import { runAll, type Work } from "./run/run.ts";
import { awsHttp } from "./stores/aws-http.ts";
import { openParameterStore } from "./stores/parameter-store.ts";
import { openS3 } from "./stores/s3.ts";
import { ssmCursor } from "./stores/ssm.ts";
import type { ObjectStore, Stores } from "./stores/stores.ts";
import type { Verifiable } from "./verify/run.ts";

/** The exit statuses. docs/output.md documents them. */
const status = {
  success: 0,
  someFailed: 1,
  configuration: 2,
  defect: 70,
  interrupted: 130,
  terminated: 143,
} as const;

/** How long a run may take after a signal to withdraw its uploads and release its claims. ECS kills it after 30 s. */
const graceMilliseconds = 25_000;

async function main(argv: readonly string[], environment: Environment): Promise<number> {
  const stop = new AbortController();
  let signalled: number | undefined;
  const graceOver = new Promise<number>((resolve) => {
    for (const [signal, code] of [
      ["SIGTERM", status.terminated],
      ["SIGINT", status.interrupted],
    ] as const) {
      process.once(signal, () => {
        signalled = code;
        stop.abort(
          new LimitError("stopped", `The run was stopped by ${signal}.`, "The next run continues from here."),
        );
        setTimeout(() => resolve(code), graceMilliseconds);
      });
    }
  });
  const code = await Promise.race([start(argv, environment, stop.signal), graceOver]);
  return signalled ?? code;
}

async function start(
  argv: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  try {
    const args = parseArguments(argv);
    if (args.help) {
      process.stdout.write(usage);
      return status.success;
    }
    if (args.command === "restore") return await restoreMirror(args, environment, signal);
    if (args.command === "export") return await exportChain(args, environment, signal);
    if (args.command === "import") return await importChain(args, environment, signal);
    const opened = await (args.local ? openLocal : openWorker)(args, environment);
    const failed =
      args.command === "verify" ? await verify(opened, args, environment, signal) : await run(opened, signal);
    return failed.length > 0 ? status.someFailed : status.success;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (process.stdout.isTTY) {
      const { showConfigError } = await import("./output/terminal.ts");
      showConfigError(process.stdout, error);
    } else writeConfigError(writeLine, error);
    return status.configuration;
  }
}

interface Opened extends Configuration {
  readonly identity: () => Promise<AwsIdentity>;
  readonly isGone: (processName: string) => boolean;
  readonly storesOf: (repository: Repository, signal: AbortSignal) => Stores;
}

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
  // In another container, a process of the same number is another one.
  return { ...configuration, storesOf, identity: credentials, isGone: () => false };
}

async function openLocal(args: Arguments, environment: Environment): Promise<Opened> {
  if (process.platform === "win32") {
    throw new ConfigError(["On Windows, run this in WSL: https://learn.microsoft.com/windows/wsl/install."]);
  }
  const [{ readLocalRepositories }, { fileCursor }, { folderObjects }] = await Promise.all([
    import("./config/local-repositories.ts"),
    import("./stores/file-cursor.ts"),
    import("./stores/folder.ts"),
  ]);
  const storesOf = ({ cursor, destination }: Repository): Stores => ({
    cursor: fileCursor(cursor),
    objects: folderObjects(destination),
  });
  await removeAbandonedFolders();
  const places = placesIn(args, environment);
  const names = args.operands.filter((name) => !places.includes(name));
  const [settings, repositories] = readAll(
    args.problems,
    () => readSettings(environment, new Date()),
    () =>
      names.length === 0 && places.length > 0
        ? []
        : readLocalRepositories(names, environment, process.cwd(), args.command === "mirror"),
    () => parsePart(args.options),
  );
  return { repositories, settings, storesOf, identity: awsIdentity(), isGone };
}

/** Returns the labels of the repositories that failed, as `verify` does. */
async function run(
  { repositories, storesOf, settings, identity, isGone }: Opened,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const report = process.stdout.isTTY
    ? (await import("./output/terminal.ts")).terminalRunReport(process.stdout)
    : jsonRunReport(writeLine);
  const limits = {
    concurrency: settings.hostConcurrency,
    requestsPerSecond: settings.hostRequestsPerSecond,
    longestPauseSeconds: settings.timeoutSeconds,
  };
  let gitVersion: Promise<string> | undefined;
  const services = {
    hosts: openHosts(limits, settings.authorities),
    identity,
    gitVersion: () => (gitVersion ??= readGitVersion(signal)),
    isGone,
  };
  const work: Work = (repository, signal, onProgress) => {
    const stores = storesOf(repository, signal);
    return repository.mirror
      ? mirror(repository, stores.objects, settings, services, signal, onProgress)
      : collect(repository, stores, settings, services, signal, onProgress);
  };
  const summary = await runAll(repositories, work, settings, services.hosts, signal, report);
  report.summary(summary);
  return summary.failed;
}

async function verify(
  { repositories, storesOf, settings }: Opened,
  args: Arguments,
  environment: Environment,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [{ verifyAll }, diffs, mirrors] = await Promise.all([
    import("./verify/run.ts"),
    import("./verify/verify.ts"),
    import("./verify/verify-mirror.ts"),
  ]);
  const part = parsePart(args.options);
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
          ? mirrors.verifyMirror(stores.objects, { ...options, part, signal, onProgress })
          : diffs.verify(stores, { ...options, cursorName: cursor, signal, onProgress });
      },
    };
  });
  const places = placesIn(args, environment).map(
    (place): Verifiable => ({
      label: place,
      name: { place },
      destination: place,
      verify: async (signal, onProgress) =>
        mirrors.verifyMirror(await openPlace(place, environment, signal), {
          ...options,
          part,
          signal,
          onProgress,
        }),
    }),
  );
  if (part && places.length === 0 && !repositories.some(({ mirror }) => mirror)) {
    throw new ConfigError(["--part divides the packs of mirrors, and none is named: give the place of one."]);
  }
  const report = process.stdout.isTTY
    ? (await import("./output/terminal.ts")).terminalVerifyReport(process.stdout)
    : jsonVerifyReport(writeLine);
  const summary = await verifyAll([...configured, ...places], settings, signal, report);
  report.summary(summary);
  return summary.failed;
}

/** Returns the operands of `verify` that are places of mirrors. */
const placesIn = ({ command, operands }: Arguments, { INIT_CWD = process.cwd() }: Environment) =>
  command === "verify" ? operands.filter((text) => isMirrorPlace(text, INIT_CWD)) : [];

/** Opens what a person names on the command line: a folder, or a place in S3. */
async function openPlace(text: string, environment: Environment, signal: AbortSignal): Promise<ObjectStore> {
  // npm runs scripts in the package's folder; INIT_CWD is where npm was called.
  const place = parsePlace(text, environment.INIT_CWD ?? process.cwd());
  if ("folder" in place) return (await import("./stores/folder.ts")).folderObjects(place.folder);
  return openS3(environment, awsHttp(readAwsAuthorities(environment))).objects(place.destination, signal);
}

async function restoreMirror(
  { operands: [place = "", folder = ""], options, problems }: Arguments,
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  const [moment] = readAll(problems, () => parseMoment(options));
  const { restore } = await import("./mirror/restore.ts");
  const target = resolve(environment.INIT_CWD ?? process.cwd(), folder);
  const report = process.stdout.isTTY
    ? (await import("./output/terminal.ts")).terminalRestoreReport(process.stdout, place)
    : jsonRestoreReport(writeLine);
  try {
    const objects = await openPlace(place, environment, signal);
    const { record } = await restore(objects, target, moment, report.progress);
    report.restored({ place, folder: target, step: record.number, state: record.to });
    return status.success;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    report.failed({ place, folder: target, ...explain(error) });
    return status.someFailed;
  }
}

async function exportChain(
  { operands: [place = ""], options, problems }: Arguments,
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  // With --output -, the delta alone is on stdout.
  const write = options.output === "-" ? (text: string) => process.stderr.write(text) : writeLine;
  const event = (name: string, facts: object) => writeEvent(write, name, { place, ...facts });
  try {
    const [{ since, output }] = readAll(problems, () => parseExport(options));
    const [{ exportDelta }, { writeDelta }] = await Promise.all([
      import("./transfer/export.ts"),
      import("./transfer/delta-file.ts"),
    ]);
    const path = pathOf(output, environment);
    const { content, ...facts } = await exportDelta(await openPlace(place, environment, signal), since);
    await writeDelta(path, content(), signal);
    event("exported", { output: path, ...facts });
    return status.success;
  } catch (error) {
    if (error instanceof ConfigError) {
      if (write === writeLine) throw error;
      writeConfigError(write, error);
      return status.configuration;
    }
    event("failed", explain(error));
    return status.someFailed;
  }
}

async function importChain(
  { operands: [delta = "", place = ""], problems }: Arguments,
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  readAll(problems);
  const event = (name: string, facts: object) => writeEvent(writeLine, name, { delta, place, ...facts });
  try {
    const [{ importDelta }, { readDelta }] = await Promise.all([
      import("./transfer/import.ts"),
      import("./transfer/delta-file.ts"),
    ]);
    const objects = await openPlace(place, environment, signal);
    const source = readDelta(pathOf(delta, environment), signal);
    event("imported", await importDelta(source, objects, signal));
    return status.success;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    event("failed", explain(error));
    return status.someFailed;
  }
}

/** Returns the path of a file that a person names; - is stdin or stdout. */
const pathOf = (name: string, { INIT_CWD = process.cwd() }: Environment) =>
  name === "-" ? name : resolve(INIT_CWD, name);

const writeLine = (text: string) => process.stdout.write(text);

// The reader of the output may go away. The work continues.
process.stdout.on("error", () => {});

main(process.argv.slice(2), process.env).then(
  // Not by the callback of an empty write, which Bun calls before a slow reader has read everything.
  (code) => process.stdout.end(() => process.exit(code)),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`, () =>
      process.exit(status.defect),
    );
  },
);
