import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderObjects } from "../../../image/stores/folder.ts";

const folder = await mkdtemp(join(tmpdir(), "folder-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

test("of several changes of one object, one is made, however long it takes", async () => {
  const details = { contentType: "text/plain", metadata: {} };
  const objects = folderObjects(folder);
  const etag = await objects.putIf("record", "before", undefined, details);
  let isDone = false;
  const long = objects.putIf("record", "x".repeat(64 * 1024 ** 2), etag, details).finally(() => {
    isDone = true;
  });
  const others: unknown[] = [];
  while (!isDone) others.push(await objects.putIf("record", "other", etag, details));
  expect([await long, ...others].filter((made) => made !== undefined)).toHaveLength(1);
});
