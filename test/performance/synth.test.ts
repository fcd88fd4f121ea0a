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

test("100,000 repositories are checked in seconds, right or wrong", () => {
  const repositories = Array.from({ length: 100_000 }, (_, index) => ({
    name: `r${index}`,
    url: `https://github.com/acme/r${index}.git`,
    credentials: "repository",
  }));
  const twice = repositories.map((repository) => ({ ...repository, name: "api" }));
  const start = performance.now();
  expect(parseOne({ region: "eu-west-1", repositories }).collections[0]?.repositories).toHaveLength(100_000);
  const right = performance.now();
  expect(() => parseOne({ region: "eu-west-1", repositories: twice })).toThrow("99999 problems");
  const wrong = performance.now();
  expect(right - start).toBeLessThan(3000);
  expect(wrong - right).toBeLessThan(6000);
}, 30_000);
