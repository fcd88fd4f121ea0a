import { type Repository, readBounds, readEnvironment } from "./environment.ts";
import { ConfigError, LimitError } from "./errors.ts";
import { jsonReport, type Report } from "./report.ts";
import { run } from "./run.ts";
import type { Stores } from "./stores.ts";

/** The exit statuses, documented in the README. */
const status = { fine: 0, someFailed: 1, configuration: 2, interrupted: 130, terminated: 143 } as const;

/** After a signal, how long the repositories at work may take to withdraw what they have begun. */
const graceMilliseconds = 8_000;

type Environment = Readonly<Record<string, string | undefined>>;

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
  const code = await Promise.race([collectAll(args, environment, stop.signal), stopped]);
  return signalled ?? code;
}

async function collectAll(
  args: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  const local = args[0] === "local";
  if (args.includes("--help") || args.includes("-h")) {
    const { usage } = await import("./local.ts");
    process.stdout.write(usage);
    return status.fine;
  }
  const report = await openReport();
  try {
    const now = new Date();
    const { repositories, bounds, storesOf } = local
      ? await openLocal(args.slice(1), environment, now)
      : await openWorker(environment, now);
    const summary = await run(repositories, storesOf, bounds, signal, report);
    report.summary(summary);
    return summary.failed.length > 0 ? status.someFailed : status.fine;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report.misconfigured(error);
    return status.configuration;
  }
}

async function openReport(): Promise<Report> {
  if (!process.stdout.isTTY) return jsonReport((text) => process.stdout.write(text));
  const { display } = await import("./display.ts");
  return display(process.stdout);
}

async function openWorker(environment: Environment, now: Date) {
  const { repositories, bounds } = readEnvironment(environment, now);
  const [{ openS3, s3Objects }, { openSsm, ssmCursor }] = await Promise.all([
    import("./s3.ts"),
    import("./ssm.ts"),
  ]);
  const [s3, ssm] = [openS3(environment), openSsm(environment)];
  const storesOf = ({ place, cursor }: Repository, signal: AbortSignal): Stores => ({
    cursor: ssmCursor(ssm, cursor, signal),
    objects: s3Objects(s3, place, signal),
  });
  return { repositories, bounds, storesOf };
}

async function openLocal(args: readonly string[], environment: Environment, now: Date) {
  const { openFolder, readArguments } = await import("./local.ts");
  const repositories = readArguments(args, environment, process.cwd());
  return { repositories, bounds: readBounds(environment, now), storesOf: openFolder };
}

main(process.argv.slice(2), process.env).then(
  (code) => process.stdout.write("", () => process.exit(code)),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`, () => process.exit(70));
  },
);
