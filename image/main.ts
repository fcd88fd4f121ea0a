import type { Run } from "./commands/call.ts";
import { exportChain } from "./commands/export.ts";
import { importChain } from "./commands/import.ts";
import { reportTables } from "./commands/report.ts";
import { restoreMirror } from "./commands/restore.ts";
import { run } from "./commands/run.ts";
import { show } from "./commands/show.ts";
import { makeTables } from "./commands/tables.ts";
import { verify } from "./commands/verify.ts";
import { messagesOf } from "./commands/write.ts";
import { type Command, parseArguments, usage } from "./config/arguments.ts";
import type { Environment } from "./lib/environment.ts";
import { ConfigError, LimitError } from "./lib/errors.ts";
import { writeConfigError } from "./output/json.ts";

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

// All imported above: in the bundle, a file that an import() reaches brings everything that it imports in whole.
const commands: Readonly<Record<Command, Run>> = {
  collect: run,
  mirror: run,
  verify,
  restore: restoreMirror,
  show,
  export: exportChain,
  import: importChain,
  tables: makeTables,
  report: reportTables,
};

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
  const args = parseArguments(argv);
  if (args.help) {
    process.stdout.write(usage);
    return status.success;
  }
  try {
    const succeeded = await commands[args.command]({ args, environment, signal });
    return succeeded ? status.success : status.someFailed;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const messages = messagesOf(args);
    if (messages.isTTY) {
      const { showConfigError } = await import("./output/terminal.ts");
      showConfigError(messages, error);
    } else writeConfigError((text) => messages.write(text), error);
    return status.configuration;
  }
}

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
