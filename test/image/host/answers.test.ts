import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { errorPacket } from "../../fixtures/packets.ts";
import { makeRepository, oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);
let testbed: Testbed;
let repository: Repository;
let from: string;

beforeAll(async () => {
  testbed = await openTestbed();
  repository = await makeRepository({ path: `${testbed.root}/repository` });
  for (const content of ["one", "two", "three", "four"]) {
    await repository.write("file", `${content}\n`);
    const commit = await repository.commit();
    if (content === "two") from = commit;
  }
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

type Instead = NonNullable<Testbed["host"]["options"]["instead"]>;
/** One run, in which the host gives this answer instead of its own. */
async function collect(instead: Instead) {
  testbed.host.options.instead = instead;
  const target = await testbed.target(repository, from);
  testbed.host.requests.length = 0;
  const ran = await target.run();
  expect(ran).toMatchObject({ status: 1, left: [], stderr: "" });
  expect((await target.cursor())?.value).toBe(from);
  expect((await testbed.aws.objects(target.bucket)).filter((name) => name.endsWith(".diff"))).toEqual([]);
  return { ...ran, target, event: ran.events[0] };
}

/** Of a call with protocol 2, in this order. */
const requests = { capabilities: 1, head: 2, commits: 3, files: 4, "commits between": 5 };

describe.each(Object.entries(requests))("the request for the %s", (_, request) => {
  test.each([
    [403, "git-denied"],
    [404, "git-not-found"],
    [502, "git-unreachable"],
  ])("refused with %d is reported as %s, and nothing more is asked", async (status, code) => {
    const { event } = await collect({ request, status });
    expect(event).toMatchObject({ code, message: expect.stringContaining(String(status)) });
    // The last two are sent together.
    expect(testbed.host.requests.length).toBe(request < 4 ? request : 5);
  });

  test.each([
    ["breaks off where a packet ends", (answer: Buffer) => answer.subarray(0, -4)],
    ["goes on after its end", (answer: Buffer) => Buffer.concat([answer, Buffer.from("0000")])],
    ["is a web page", () => Buffer.from("<!DOCTYPE html>")],
    ["is empty", () => Buffer.alloc(0)],
  ])("with an answer that %s ends at once, and nothing is stored", async (_, body) => {
    const { event, seconds } = await collect({ request, body });
    expect(event?.code).toMatch(/^git-(cut-off|failed|not-found|unreachable)$/);
    expect(seconds).toBeLessThan(10);
  });
});

test.each([3, 4, 5])(
  "a request for a pack that is answered with 500 is tried in another way (%i)",
  async (request) => {
    testbed.host.options.instead = { request, status: 500 };
    const target = await testbed.target(repository, from);
    testbed.host.requests.length = 0;
    const [event] = (await target.run()).events;
    expect(event).toMatchObject({ event: "collected", from, commits: 2 });
    const right = await oracle(repository.path, from, target.to);
    expect(Buffer.compare(await testbed.aws.body(target.bucket, event?.diff), right)).toBe(0);
  },
);

test("a host's message is shown without control characters", async () => {
  const body = () => errorPacket("\u001b[2Jno\u0007 \u009b2J");
  const { event } = await collect({ request: requests.head, body });
  expect(event?.message).toContain("refused the request: [2Jno 2J");
});

test.each(["zzz", "f".repeat(64)])("a head that is no commit id is never claimed: %s", async (id) => {
  const line = `${id} HEAD\n`;
  const body = () => Buffer.from(`${(line.length + 4).toString(16).padStart(4, "0")}${line}0000`);
  const { event, target } = await collect({ request: requests.head, body });
  expect(event).toMatchObject({ code: "git-failed", message: expect.stringContaining(id) });
  expect(await testbed.aws.objects(target.bucket)).toEqual([]);
});
