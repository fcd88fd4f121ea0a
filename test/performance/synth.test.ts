import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseOne } from "../fixtures/configuration.ts";

test("synthesis takes less than a second", async () => {
  const folder = mkdtempSync(join(tmpdir(), "git-diff-synthesis-"));
  const durations: number[] = [];
  for (const _ of [1, 2, 3]) {
    const start = performance.now();
    const { exited } = Bun.spawn([process.execPath, "main.ts"], {
      cwd: join(import.meta.dirname, "../.."),
      env: { ...process.env, CDKTF_OUTDIR: folder, CHECKPOINT_DISABLE: "1" },
      stdout: "ignore",
      stderr: "inherit",
    });
    expect(await exited).toBe(0);
    durations.push(performance.now() - start);
  }
  rmSync(folder, { recursive: true, force: true });
  expect(Math.min(...durations)).toBeLessThan(1000);
}, 30_000);

/** Returns the milliseconds that so many repositories take to check, right and wrong ones. */
function checkTime(count: number): { right: number; wrong: number } {
  const repositories = Array.from({ length: count }, (_, index) => ({
    name: `r${index}`,
    url: `https://github.com/acme/r${index}.git`,
    credentials: "repository",
  }));
  const twice = repositories.map((repository) => ({ ...repository, name: "api" }));
  const start = performance.now();
  expect(parseOne({ region: "eu-west-1", repositories }).collections[0]?.repositories).toHaveLength(count);
  const middle = performance.now();
  expect(() => parseOne({ region: "eu-west-1", repositories: twice })).toThrow(`${count - 1} problems`);
  return { right: middle - start, wrong: performance.now() - middle };
}

test("ten times as many repositories take some ten times as long to check, right or wrong", () => {
  checkTime(10_000);
  const [few, many] = [checkTime(10_000), checkTime(100_000)];
  // A hundred times, if each were compared with each.
  expect(many.right / few.right).toBeLessThan(40);
  expect(many.wrong / few.wrong).toBeLessThan(40);
}, 60_000);
