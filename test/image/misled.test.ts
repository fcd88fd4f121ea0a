import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { openTestbed, type Testbed } from "../fixtures/testbed.ts";
import { runWorker } from "../fixtures/worker.ts";

let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
afterEach(() => testbed.reset());

test("a page that is no git repository is no empty repository", async () => {
  const server = createServer((_, response) => response.end("<html>Sign in</html>")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const target = await testbed.target(await testbed.repository("page"));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const ran = await target.run({ GIT_REPO: url });
  server.close();
  expect(ran).toMatchObject({ status: 1 });
});

test("a repository that was collected before and has no branch now is no empty repository", async () => {
  const repository = await testbed.repository("emptied");
  const target = await testbed.target(repository);
  await repository.git("update-ref", "-d", "refs/heads/main");
  expect(await target.run()).toMatchObject({ status: 1 });
});

test("a first cursor whose answer was lost is a success", async () => {
  const target = await testbed.target(await testbed.repository("answer"), null);
  let cut = false;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const headers = request.headers as Record<string, string>;
    const reply = await fetch(testbed.aws.endpoint, { method: "POST", headers, body });
    const answer = await reply.text();
    if (!cut && String(headers["x-amz-target"]).endsWith("PutParameter")) {
      cut = true;
      return void request.socket.destroy();
    }
    response.writeHead(reply.status, { "content-type": "application/x-amz-json-1.1" }).end(answer);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ran = await target.run({ AWS_ENDPOINT_URL_SSM: endpoint });
  server.closeAllConnections();
  server.close();
  await target.expectCollected();
  expect(ran.events[0]).toMatchObject({ event: "collected" });
});

test("credentials put where the name of their variable belongs are not shown", async () => {
  const entry = { gitRepo: "https://h/x", parameterName: "/p", resultsBucket: "bucket" };
  const REPOSITORIES = JSON.stringify([{ ...entry, gitHttpCredentials: "x-access-token:ghp_secret" }]);
  expect((await runWorker({ REPOSITORIES })).stdout).not.toContain("ghp_secret");
});

test("a REPOSITORIES that is not JSON is not shown", async () => {
  expect((await runWorker({ REPOSITORIES: "ghp_secret" })).stdout).not.toContain("ghp_secret");
});

test("a branch whose name is not ASCII is found", async () => {
  const repository = await testbed.repository("names");
  await repository.git("branch", "fonctionnalité");
  const target = await testbed.target(repository);
  const ran = await target.run({ GIT_BRANCH: "fonctionnalité" });
  expect(ran.events[0]).toMatchObject({ event: "collected", ref: "refs/heads/fonctionnalité" });
});

test("no git on PATH is told as git-missing", async () => {
  const target = await testbed.target(await testbed.repository("missing"));
  expect((await target.run({ PATH: "/nonexistent" })).events[0]).toMatchObject({ code: "git-missing" });
});

test("an unchanged branch costs the same however many other refs there are", async () => {
  const repository = await testbed.repository("refs");
  const head = await repository.head();
  const refs = Array.from({ length: 5_000 }, (_, index) => `create refs/pull/${index}/head ${head}\n`);
  await repository.gitBytes(["update-ref", "--stdin"], refs.join(""));
  const target = await testbed.target(repository, head);
  testbed.reset();
  expect(await target.run({ GIT_BRANCH: "main" })).toMatchObject({ status: 0 });
  expect(testbed.host.bytesSent).toBeLessThan(10_000);
});

test("a submodule named .gitattributes is not taken for a lost commit", async () => {
  const repository = await testbed.repository("submodule");
  await repository.submodule("folder/.gitattributes", "1".repeat(40));
  await repository.commit();
  const target = await testbed.target(repository);
  expect((await target.run()).events[0]).toMatchObject({ event: "collected", kind: "change" });
});

test("a git that is killed is not taken for a host that refuses", async () => {
  const [target, folder] = [
    await testbed.target(await testbed.repository("killed")),
    join(testbed.root, "bin"),
  ];
  await mkdir(folder);
  const script = `#!/bin/sh\n[ "$1" = index-pack ] && echo >>${folder}/fetches && kill -9 $$\nexec ${Bun.which("git")} "$@"\n`;
  await writeFile(join(folder, "git"), script);
  await chmod(join(folder, "git"), 0o755);
  await target.run({ PATH: `${folder}:${process.env.PATH}` });
  expect(await Bun.file(join(folder, "fetches")).text()).toBe("\n");
});

test("a host that refuses to leave out trees still leaves out files", async () => {
  const repository = await testbed.repository("trees");
  const first = await repository.git("rev-list", "--max-parents=0", "HEAD");
  await repository.git("config", "uploadpackfilter.tree.allow", "false");
  await repository.write("file", "three\n");
  await repository.commit();
  const target = await testbed.target(repository, first);
  expect((await target.run()).events[0]).toMatchObject({ strategy: "blobless" });
});

test("a first commit that talks about a parent is counted right", async () => {
  const repository = await testbed.repository("talk");
  await repository.git("checkout", "-q", "--orphan", "other");
  const first = await repository.commit("Subject\n\nparent class removed");
  for (const text of ["a", "b", "c"]) {
    await repository.write("file", text);
    await repository.commit();
  }
  const target = await testbed.target(repository, first);
  expect((await target.run()).events[0]).toMatchObject({ kind: "change", commits: 3 });
});

test("what is said to be safe is true", async () => {
  const target = await testbed.target(await testbed.repository("moved"));
  const move = () => testbed.aws.putParameter(target.parameter, "f".repeat(40));
  testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run: move } });
  const told = (await target.run()).events[0];
  expect(told).toMatchObject({ event: "failed", code: "cursor-moved" });
  expect(told?.safe).not.toContain("the cursor has not moved");
}, 30_000);
