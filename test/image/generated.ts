import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { diffOptions, emptyTree } from "../../image/diff.ts";
import { diffName, recordName, type StepRecord } from "../../image/step.ts";
import { git } from "../helpers/git.ts";

/** A folder as `steps` runs leave it, made without running any: a history of small edits in some files. */
export async function generate(repository: string, place: string, steps: number): Promise<StepRecord[]> {
  await mkdir(join(place, "_steps"), { recursive: true });
  await git(["init", "--quiet", "--template=", "--bare", repository]);
  let input = "";
  for (let step = 0; step < steps; step++) {
    const content = Array.from({ length: 20 }, (_, line) =>
      line === step % 20 ? `edited ${step}\n` : `${line}\n`,
    );
    const text = content.join("");
    input += `commit refs/heads/main\ncommitter C <c@example.com> ${1_700_000_000 + step} +0000\ndata 1\n.\n`;
    input += `M 644 inline folder/file-${step % 50}\ndata ${text.length}\n${text}\n`;
  }
  await git(["fast-import", "--quiet"], { cwd: repository, input });
  const format = "--format=%x00%H %T%x00";
  const args = ["log", "--reverse", "-p", "--root", format, ...diffOptions, "main"];
  const told = (await git(args, { cwd: repository })).toString().split("\0").slice(1);

  const records: StepRecord[] = [];
  for (let number = 1; number <= steps; number++) {
    const [to = "", toTree = ""] = (told[2 * number - 2] ?? "").split(" ");
    const diff = (told[2 * number - 1] ?? "").trimStart();
    const before = records.at(-1);
    const at = new Date(Date.UTC(2020, 0, 1) + number * 60_000);
    const from = before?.to ?? emptyTree;
    const name = diffName(from, to, at);
    records.push({
      schemaVersion: 1,
      state: "complete",
      number,
      repository: "https://host/generated",
      ref: "refs/heads/main",
      kind: before ? "change" : "baseline",
      from,
      to,
      diff: name,
      binary: false,
      cursor: before ? `${number - 1}@` : null,
      last: before?.to ?? null,
      previous: before ? recordName(number - 1) : null,
      expected: null,
      owner: "generated",
      claimed: at.toISOString(),
      scheduled: at.toISOString(),
      bytes: diff.length,
      sha256: createHash("sha256").update(diff).digest("hex"),
      files: 1,
      binaryFiles: 0,
      linesAdded: 1,
      linesRemoved: 1,
      commits: 1,
      fromTree: before?.state === "complete" ? before.toTree : emptyTree,
      toTree,
      rung: "blobless",
      packBytes: 1,
      gitVersion: "2.39.5",
      workerVersion: "0.1.0",
      started: at.toISOString(),
      finished: at.toISOString(),
    });
    await writeFile(join(place, name), diff);
  }
  for (const record of records) {
    await writeFile(join(place, recordName(record.number)), `${JSON.stringify(record)}\n`);
  }
  await writeFile(join(place, "cursor"), `${records.at(-1)?.to}\n`);
  return records;
}
