import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

// The computer may be busy.
setDefaultTimeout(30_000);
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
afterEach(() => testbed.reset());

test("a web page is not an empty repository", async () => {
  const server = createServer((_, response) => response.end("<html>Sign in</html>")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const target = await testbed.target(await testbed.repository("page"));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const ran = await target.run({ GIT_REPO: url });
  server.close();
  expect(ran).toMatchObject({ status: 1 });
});

test("a repository that has lost its branch is not an empty repository", async () => {
  const repository = await testbed.repository("emptied");
  const target = await testbed.target(repository);
  await repository.git("update-ref", "-d", "refs/heads/main");
  expect(await target.run()).toMatchObject({ status: 1 });
});

test("a branch with a name outside ASCII is found", async () => {
  const repository = await testbed.repository("names");
  await repository.git("branch", "fonctionnalité");
  const target = await testbed.target(repository);
  const ran = await target.run({ GIT_BRANCH: "fonctionnalité" });
  expect(ran.events[0]).toMatchObject({ event: "collected", ref: "refs/heads/fonctionnalité" });
});

test("the cost of an unchanged branch does not depend on the number of other refs", async () => {
  const repository = await testbed.repository("refs");
  const head = await repository.head();
  const refs = Array.from({ length: 5_000 }, (_, index) => `create refs/pull/${index}/head ${head}\n`);
  await repository.gitBytes(["update-ref", "--stdin"], refs.join(""));
  const target = await testbed.target(repository, head);
  testbed.reset();
  expect(await target.run({ GIT_BRANCH: "main" })).toMatchObject({ status: 0 });
  expect(testbed.host.bytesSent).toBeLessThan(10_000);
});
