import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const entry = join(import.meta.dirname, "../../image/main.ts");

test("a slow reader gets every line, however many there are", async () => {
  const folder = await mkdtemp(join(tmpdir(), "output-"));
  const names = Array.from({ length: 4_000 }, (_, index) => `${"missing-".repeat(12)}${index}`);
  const list = names.map((name) => ({ gitRepo: name, parameterName: "/p", resultsBucket: "bucket" }));
  await Bun.write(join(folder, "list.json"), JSON.stringify(list));
  const child = spawn(process.execPath, [entry], {
    cwd: folder,
    env: { PATH: process.env.PATH, REPOSITORIES_FILE: "list.json" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  await Bun.sleep(1_000);
  let text = "";
  for await (const chunk of child.stdout) {
    text += chunk;
    await Bun.sleep(1);
  }
  await rm(folder, { recursive: true });
  expect(await exited).toBe(2);
  expect(text.length).toBeGreaterThan(500_000);
  expect(text).toEndWith("\n");
  expect(JSON.parse(text).problems).toHaveLength(4_000);
});
