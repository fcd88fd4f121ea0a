import { git } from "../test/fixtures/git.ts";

/** Returns the last commit of each day on which the first-parent history of HEAD has one, oldest first. */
export async function lastCommits(cwd: string): Promise<Map<string, string>> {
  const command = ["log", "--first-parent", "--reverse", "--date=format-local:%Y-%m-%d", "--format=%cd %H"];
  const lines = (await git(command, { cwd })).toString().trim().split("\n");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}
