import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { commitManyFiles } from "../fixtures/large-commits.ts";
import type { Repository } from "../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../fixtures/testbed.ts";
import { startWorker } from "../fixtures/worker.ts";

setDefaultTimeout(300_000);
const megabyte = 1024 ** 2;
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

/** Collects a repository's last commit. Returns the first event, and for how long the event loop was blocked at most. */
async function collect(repository: Repository) {
  const target = await testbed.target(repository);
  const file = join(testbed.root, "longest");
  const watch = join(import.meta.dirname, "../fixtures/loop-watch.ts");
  const environment = { ...target.environment, LOOP_WATCH: file, BUN_OPTIONS: `--preload=${watch}` };
  const { events, seconds } = await (await startWorker(environment)).finished;
  return { event: events[0], seconds, milliseconds: Number(await readFile(file, "utf8")) };
}

test("a diff of 500 MB", async () => {
  const repository = await testbed.repository("diff");
  const line = `${randomBytes(600).toString("base64")}\n`;
  const text = line.repeat(Math.ceil((50 * megabyte) / line.length));
  for (let file = 0; file < 10; file++) await repository.write(`large-${file}`, `${file}\n${text}`);
  await repository.commit();
  const { event, milliseconds } = await collect(repository);
  expect(event).toMatchObject({ event: "collected", files: 10 });
  expect(event?.bytes).toBeGreaterThan(500 * megabyte);
  expect(milliseconds).toBeWithin(5, 250);
});

test("a step of 100,000 files", async () => {
  const repository = await testbed.repository("files");
  await commitManyFiles(repository, "new", 100_000);
  const { event, milliseconds } = await collect(repository);
  expect(event).toMatchObject({ event: "collected", files: 100_000 });
  expect(milliseconds).toBeWithin(5, 250);
});

test("a commit with a message of 200 MB is refused at once, and blocks nothing", async () => {
  const repository = await testbed.repository("commit");
  const [tree, parent] = [await repository.git("rev-parse", "HEAD^{tree}"), await repository.head()];
  const head = `tree ${tree}\nparent ${parent}\nauthor A <a@example.com> 0 +0000\ncommitter A <a@example.com> 0 +0000\n\n`;
  const object = Buffer.concat([Buffer.from(head), Buffer.alloc(200 * megabyte, "All work and no play.\n")]);
  const id = (await repository.gitBytes(["hash-object", "-t", "commit", "-w", "--stdin"], object))
    .toString()
    .trim();
  await repository.git("update-ref", "refs/heads/main", id);
  const { event, milliseconds, seconds } = await collect(repository);
  expect(event).toMatchObject({ event: "failed", code: "commit-too-large" });
  expect(milliseconds).toBeWithin(5, 250);
  expect(seconds).toBeLessThan(60);
});
