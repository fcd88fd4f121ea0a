import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLocalRepositories } from "../../image/config/local-repositories.ts";
import { generateChain } from "../fixtures/generated-chain.ts";
import { runWorker } from "../fixtures/worker.ts";

setDefaultTimeout(60_000);

test("hundreds of small steps are replayed within seconds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "many-"));
  try {
    const repository = join(folder, "many.git");
    await mkdir(repository);
    const [{ destination = "" } = {}] = readLocalRepositories([repository], {}, folder);
    await generateChain(repository, destination, 500);
    const args = ["local", "verify", "--replay", repository];
    const { events, seconds } = await runWorker({}, { cwd: folder, args });
    expect(events[0]).toMatchObject({ event: "verified", holds: true, replayed: 500 });
    expect(seconds).toBeLessThan(30);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("ten thousand steps are verified within seconds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "many-"));
  try {
    const repository = join(folder, "many.git");
    await mkdir(repository);
    const [{ destination = "" } = {}] = readLocalRepositories([repository], {}, folder);
    await generateChain(repository, destination, 10_000);
    const { events, seconds } = await runWorker({}, { cwd: folder, args: ["local", "verify", repository] });
    expect(events[0]).toMatchObject({ event: "verified", holds: true, steps: 10_000, diffs: 10_000 });
    expect(seconds).toBeLessThan(20);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
