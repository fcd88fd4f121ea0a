import { run } from "./collect/run.ts";
import { readEnvironment } from "./config/environment.ts";
import type { Repository } from "./config/repositories.ts";
import { type Bounds, readBounds } from "./config/settings.ts";
import type { Environment } from "./config/variables.ts";
import { ConfigError, LimitError } from "./lib/errors.ts";
import { jsonReport, type Report } from "./output/json.ts";
import { openS3, s3Objects } from "./stores/s3.ts";
import { openSsm, ssmCursor } from "./stores/ssm.ts";
import type { Stores } from "./stores/stores.ts";

/** The exit statuses, documented in the README. */
const status = {
  fine: 0,
  someFailed: 1,
  configuration: 2,
  broken: 70,
  interrupted: 130,
  terminated: 143,
} as const;

/** After a signal, how long the repositories at work may take to withdraw what they have begun. */
const graceMilliseconds = 8_000;

async function main(args: readonly string[], environment: Environment): Promise<number> {
  const stop = new AbortController();
  let signalled: number | undefined;
  const stopped = new Promise<number>((resolve) => {
    for (const [signal, code] of [
      ["SIGTERM", status.terminated],
      ["SIGINT", status.interrupted],
    ] as const) {
      process.once(signal, () => {
        signalled = code;
        stop.abort(
          new LimitError("stopped", `The run was stopped by ${signal}.`, "The next run goes on from here."),
        );
        setTimeout(() => resolve(code), graceMilliseconds);
      });
    }
  });
  const code = await Promise.race([start(args, environment, stop.signal), stopped]);
  return signalled ?? code;
}

/** `[local] [verify [--replay]] [REPO...]` */
async function start(
  args: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    const { usage } = await import("./config/arguments.ts");
    process.stdout.write(usage);
    return status.fine;
  }
  const local = args[0] === "local";
  const words = local ? args.slice(1) : args;
  const command = words[0] === "verify" ? "verify" : "collect";
  const report = await openReport();
  try {
    const open = local ? openLocal : openWorker;
    if (command === "verify") {
      const opened = await open(
        words.slice(1).filter((word) => word !== "--replay"),
        environment,
      );
      return await verifyAll(opened, words.includes("--replay"), signal);
    }
    const { repositories, bounds, storesOf } = await open(words, environment);
    const summary = await run(repositories, storesOf, bounds, signal, report);
    report.summary(summary);
    return summary.failed.length > 0 ? status.someFailed : status.fine;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report.misconfigured(error);
    return status.configuration;
  }
}

async function verifyAll(
  { repositories, bounds, storesOf }: Opened,
  replay: boolean,
  signal: AbortSignal,
): Promise<number> {
  const [{ verify }, { jsonVerdict, showVerdict }] = await Promise.all([
    import("./verify/run.ts"),
    import("./output/verdict.ts"),
  ]);
  const { stdout } = process;
  const report = stdout.isTTY ? showVerdict(stdout) : jsonVerdict((text) => stdout.write(text));
  const verdict = await verify(repositories, storesOf, bounds, { replay, signal }, report);
  report.summary(verdict);
  return verdict.failed.length > 0 ? status.someFailed : status.fine;
}

async function openReport(): Promise<Report> {
  if (!process.stdout.isTTY) return jsonReport((text) => process.stdout.write(text));
  const { display } = await import("./output/terminal.ts");
  return display(process.stdout);
}

interface Opened {
  readonly repositories: readonly Repository[];
  readonly bounds: Bounds;
  readonly storesOf: (repository: Repository, signal: AbortSignal) => Stores;
}

async function openWorker(args: readonly string[], environment: Environment): Promise<Opened> {
  if (args.length > 0) {
    const rule = "the worker knows verify and --replay, and takes everything else from its environment.";
    throw new ConfigError([`${args.join(" ")}: ${rule}`]);
  }
  const { repositories, bounds } = readEnvironment(environment, new Date());
  const [s3, ssm] = [openS3(environment), openSsm(environment)];
  await ssm.config.region().catch((error: Error) => {
    throw new ConfigError([`The AWS region is not known (${error.message}): set AWS_REGION.`]);
  });
  const storesOf = ({ place, cursor }: Repository, signal: AbortSignal): Stores => ({
    cursor: ssmCursor(ssm, cursor, signal),
    objects: s3Objects(s3, place, signal),
  });
  return { repositories, bounds, storesOf };
}

async function openLocal(args: readonly string[], environment: Environment): Promise<Opened> {
  const { openFolder, readArguments } = await import("./config/arguments.ts");
  const repositories = readArguments(args, environment, process.cwd());
  return { repositories, bounds: readBounds(environment, new Date()), storesOf: openFolder };
}

// Whoever reads the lines may go away; the work goes on.
process.stdout.on("error", () => {});

main(process.argv.slice(2), process.env).then(
  (code) => process.stdout.write("", () => process.exit(code)),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`, () =>
      process.exit(status.broken),
    );
  },
);
