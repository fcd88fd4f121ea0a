import { compareFileRows } from "../test/fixtures/file-rows.ts";
import { lastCommits } from "./days.ts";
import { note } from "./setting.ts";

/** Compares the rows of files with git's own answers, for the newest so many days on which a repository has changed. */
export async function compareRows(path: string, days: number): Promise<void> {
  const commits = [...(await lastCommits(path)).values()].slice(-days - 1);
  let rows = 0;
  for (const [index, to] of commits.entries()) {
    const from = commits[index - 1];
    if (from === undefined) continue;
    if (index % 50 === 0) note(`Comparing day ${index} of ${commits.length - 1}`);
    rows += await compareFileRows(path, from, to);
  }
  console.log(
    `\n${rows.toLocaleString("en")} rows of files of ${commits.length - 1} days are what git diff --raw --numstat says.`,
  );
}
