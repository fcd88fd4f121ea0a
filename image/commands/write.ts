import type { Arguments } from "../config/arguments.ts";

/** Writes to stdout. */
export const writeLine = (text: string) => process.stdout.write(text);

/** Returns where messages go: to stderr where stdout is the file that was asked for. */
export const messagesOf = ({ command, options }: Arguments): NodeJS.WriteStream =>
  command === "show" || (command === "export" && options.output === "-") ? process.stderr : process.stdout;
