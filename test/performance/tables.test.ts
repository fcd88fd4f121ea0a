import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { query } from "../fixtures/duckdb.ts";
import { commitManyFiles } from "../fixtures/large-commits.ts";
import { measureWorker } from "../fixtures/measured-worker.ts";
import { openTestbed } from "../fixtures/testbed.ts";

setDefaultTimeout(300_000);

/** Writes a month of 300 repositories, 37 files each day, in so many runs. */
async function write(folder: string, runs: number): Promise<{ memory: number; seconds: number[] }> {
  const program = join(import.meta.dirname, "../fixtures/month-writer.ts");
  const child = Bun.spawn([process.execPath, program, folder, "300", "30", "37", `${runs}`], {
    stderr: "inherit",
  });
  return JSON.parse(await new Response(child.stdout).text());
}

test("a month of 300 repositories grows day by day in bounded memory, and is the same as one made at once", async () => {
  const root = await mkdtemp(join(tmpdir(), "month-"));
  try {
    const [daily, atOnce] = [join(root, "daily"), join(root, "at-once")];
    const ran = await write(daily, 30);
    const alone = await write(atOnce, 1);
    console.log(JSON.stringify({ daily: ran.memory, atOnce: alone.memory, lastDay: ran.seconds.at(-1) }));
    for (const { memory } of [ran, alone]) expect(memory).toBeLessThan(250e6);
    for (const table of ["steps", "commits", "files"]) {
      const [one, other] = [daily, atOnce].map(
        (folder) => `read_parquet('${folder}/v1/${table}/*/*.parquet')`,
      );
      const differing = `SELECT count(*)::int AS rows FROM ((FROM ${one} EXCEPT ALL FROM ${other}) UNION ALL (FROM ${other} EXCEPT ALL FROM ${one}))`;
      expect(await query(daily, differing)).toEqual([{ rows: 0 }]);
    }
    expect(await query(daily, "SELECT count(*)::int AS rows FROM TABLE(files)")).toEqual([{ rows: 333_000 }]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test("a step of 100,000 files has its rows in bounded memory", async () => {
  const testbed = await openTestbed();
  const root = await mkdtemp(join(tmpdir(), "files-"));
  try {
    const repository = await testbed.repository("files");
    for (const word of ["before", "after"]) await commitManyFiles(repository, word, 100_000);
    const target = await testbed.target(repository);
    const { ran, memory } = await measureWorker({
      ...target.environment,
      ...{ RESULTS_BUCKET: `${target.bucket}/api`, TABLES_BUCKET: `${target.bucket}/tables` },
      PEOPLE_KEY: "a key of more than sixteen characters",
    });
    console.log(JSON.stringify({ memory }));
    expect(ran).toMatchObject({ status: 0, stderr: "", left: [] });
    expect(ran.events.at(0)).toMatchObject({ files: 100_000, rows: { files: 100_000, commits: 1 } });
    expect(memory).toBeLessThan(300e6);
    const name = "v1/files/month=2026-01/all.parquet";
    await Bun.write(join(root, name), await testbed.aws.body(target.bucket, `tables/${name}`));
    expect(await query(root, "SELECT count(DISTINCT path)::int AS files FROM TABLE(files)")).toEqual([
      { files: 100_000 },
    ]);
  } finally {
    await testbed.close();
    await rm(root, { recursive: true, force: true });
  }
});
