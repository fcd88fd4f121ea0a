import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { deltaOf } from "../../fixtures/delta.ts";
import { makeTwoChains, objectsIn, type TwoChains } from "../../fixtures/two-chains.ts";

setDefaultTimeout(60_000);
let chains: TwoChains;
beforeAll(async () => {
  chains = await makeTwoChains(2);
});
afterAll(() => chains[Symbol.asyncDispose]());

const entry = process.env.WORKER_BUNDLE ?? join(import.meta.dirname, "../../../image/main.ts");

/** Runs a line of shell, in which $0 is the worker, $1 and $2 are the arguments. */
function shell(line: string, ...args: string[]) {
  const worker = `${process.execPath} ${entry} local`;
  const env = { PATH: process.env.PATH, INIT_CWD: chains.root };
  const { status, stdout, stderr } = spawnSync("sh", ["-c", line, worker, ...args], { cwd: "/", env });
  return { status, stdout, stderr: stderr.toString() };
}

test("a delta goes through a pipe, and nothing else is on it", async () => {
  const { status, stdout, stderr } = shell("$0 export $1 --output -", chains.places.mirror);
  expect(status).toBe(0);
  expect(stdout.equals(await deltaOf(chains.places.mirror))).toBe(true);
  expect(JSON.parse(stderr)).toMatchObject({ event: "exported", output: "-", until: 2 });
  const both = shell("$0 export $1 --output - 2>/dev/null | $0 import - piped.git", chains.places.mirror);
  expect(JSON.parse(String(both.stdout))).toMatchObject({ event: "imported", delta: "-", steps: 2 });
  expect(await objectsIn(join(chains.root, "piped.git"))).toEqual(await objectsIn(chains.places.mirror));
});

test("a mistake or a failure leaves the pipe empty, and says so beside it", () => {
  const mistake = shell("$0 export $1 --since x --output -", chains.places.mirror);
  expect({ ...mistake, stdout: String(mistake.stdout) }).toMatchObject({ status: 2, stdout: "" });
  expect(JSON.parse(mistake.stderr)).toMatchObject({ event: "failed", code: "configuration" });
  const failure = shell("$0 export $1 --since 7 --output -", chains.places.mirror);
  expect({ ...failure, stdout: String(failure.stdout) }).toMatchObject({ status: 1, stdout: "" });
  expect(JSON.parse(failure.stderr)).toMatchObject({ event: "failed", code: "step-missing" });
});

test("a file that cannot be written or read is an error, and no part of it stays", async () => {
  const output = shell("$0 export $1 --output $2", chains.places.mirror, "/dev/full");
  expect(output.status).toBe(1);
  expect(JSON.parse(String(output.stdout))).toMatchObject({ code: "delta-unwritable" });
  const folder = shell("$0 export $1 --output $2", chains.places.mirror, ".");
  expect(JSON.parse(String(folder.stdout))).toMatchObject({ code: "delta-unwritable" });
  const missing = shell("$0 import no.tar here.git");
  expect(JSON.parse(String(missing.stdout))).toMatchObject({ code: "delta-unreadable" });
  expect((await readdir(chains.root)).filter((name) => name.includes("tar"))).toEqual([]);
  expect(existsSync(join(chains.root, "here.git"))).toBe(false);
});

test("no output, or none that makes sense, is a mistake", () => {
  const { status, stdout } = shell("$0 export $1", chains.places.mirror);
  expect(status).toBe(2);
  expect(JSON.parse(String(stdout)).problems).toEqual([expect.stringMatching(/^--output is missing/)]);
});
