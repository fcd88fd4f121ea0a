import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(30_000);
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
afterEach(() => testbed.reset());

test.each([
  ["", {}],
  [" without filters", { filter: false }],
  [" with protocol 0", { protocol: 0 as const }],
])("a host%s that lacks an object is reported as damaged, and blocks no later day", async (name, options) => {
  Object.assign(testbed.host.options, options);
  const repository = await testbed.repository(`damaged${name.replaceAll(" ", "-")}`);
  const target = await testbed.target(repository, await repository.head());
  await repository.write("lost", "content that the host will lose\n");
  await repository.commit();
  const blob = await repository.git("rev-parse", "HEAD:lost");
  await rm(join(repository.path, ".git/objects", blob.slice(0, 2), blob.slice(2)), { force: true });
  testbed.host.requests.length = 0;
  const failed = (await target.run()).events[0];
  expect(failed).toMatchObject({ event: "failed", code: "host-damaged" });
  // The strategies are not tried one by one, as all need the object.
  expect(testbed.host.requests.length).toBeLessThan(7);
  // The next commit does without the file.
  await repository.git("rm", "--quiet", "--cached", "lost");
  await repository.git("commit", "--quiet", "-m", "Without it");
  expect((await target.run()).events[0]).toMatchObject({ event: "collected", from: target.to });
});
