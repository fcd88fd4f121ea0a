import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { oracle, type Repository } from "../../fixtures/repository.ts";
import { missingPrograms } from "../../fixtures/requirements.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);
const missing = missingPrograms("dulwich", "dulwich");

// Dulwich is a git server of its own. It knows protocol 0 only, and answers some requests with status 500.
describe.skipIf(missing !== undefined)(`Dulwich${missing ? ` (${missing})` : ""}`, () => {
  let testbed: Testbed;
  let repository: Repository;
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    testbed = await openTestbed();
    repository = await testbed.repository("dulwich");
    for (const text of ["one", "two", "three"]) {
      await repository.write(`folder/${text}`, `${text}\n`);
      await repository.commit();
    }
    // It cannot say which port it has chosen.
    const probe = Bun.serve({ port: 0, fetch: () => new Response() });
    const port = probe.port;
    await probe.stop(true);
    url = `http://127.0.0.1:${port}`;
    const args = ["-m", "dulwich.web", "-l", "127.0.0.1", "-p", String(port), repository.path];
    server = spawn("python3", args, { stdio: "ignore" });
    for (let tries = 0; tries < 100; tries++) {
      if (await fetch(url).catch(() => undefined)) return;
      await Bun.sleep(100);
    }
    throw new Error("Dulwich did not start.");
  });
  afterAll(async () => {
    server.kill();
    await testbed.close();
  });

  test("is collected: a baseline, an unchanged branch, and several commits", async () => {
    const target = await testbed.target(repository, null);
    const first = await target.run({ GIT_REPO: url, SCHEDULED_TIME: "2026-01-03T00:00:00Z" });
    expect(first.events[0]).toMatchObject({ event: "collected", kind: "baseline" });
    expect((await target.run({ GIT_REPO: url })).events[0]).toMatchObject({ event: "unchanged" });
    const from = await repository.head();
    for (const text of ["four", "five"]) {
      await repository.write(`folder/${text}`, `${text}\n`);
      await repository.commit();
    }
    const ran = await target.run({ GIT_REPO: url, SCHEDULED_TIME: "2026-01-04T00:00:00Z" });
    const to = await repository.head();
    expect(ran.events[0]).toMatchObject({ event: "collected", kind: "change", from, to, commits: 2 });
    const right = await oracle(repository.path, from, to);
    expect(Buffer.compare(await testbed.aws.body(target.bucket, ran.events[0]?.diff), right)).toBe(0);
  });
});
