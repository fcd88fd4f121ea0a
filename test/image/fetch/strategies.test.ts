import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { collectOnce as collectOf, latin1 } from "../../fixtures/collect-once.ts";
import type { Host, HostOptions } from "../../fixtures/git-host.ts";
import { makeRepository, oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

/*
 * 300 commits, one an hour: each puts 2 KB of noise into one of 50 files, and the first one brings a file of 1 MB that
 * nobody touches again. So 10 commits are some 40 KB of files before and after, one commit is 1.1 MB, all are 1.6 MB.
 */
const commits = 300;
const [mega, kilo] = [1_000_000, 1_000];

// The computer may be busy.
setDefaultTimeout(60_000);

let testbed: Testbed;
let host: Host;
let repository: Repository;
/** Ten commits back; 250 commits back. */
let [near, far, head] = ["", "", ""];
let right: Record<string, string>;

beforeAll(async () => {
  testbed = await openTestbed();
  host = testbed.host;
  repository = await makeRepository({ path: join(testbed.root, "work") });
  const data = (bytes: Uint8Array) => [`data ${bytes.length}\n`, bytes, "\n"];
  const stream = Array.from({ length: commits }, (_, each) => [
    `commit refs/heads/main\nmark :${each + 1}\ncommitter C <c@example.com> ${1717200000 + each * 3600} +0000\n`,
    ...data(Buffer.from(`Commit ${each}`)),
    ...(each === 0 ? ["M 644 inline big\n", ...data(randomBytes(mega))] : []),
    `M 644 inline file-${each % 50}\n`,
    ...data(Buffer.from(randomBytes(kilo).toString("hex"))),
  ]).flat();
  await repository.gitBytes(
    ["fast-import", "--quiet"],
    Buffer.concat(stream.map((part) => Buffer.from(part))),
  );
  const at = (commit: string) => repository.git("rev-parse", commit);
  [near, far, head] = await Promise.all([at("main~10"), at("main~250"), at("main")]);
  const rightFrom = async (from: string) => [from, latin1(await oracle(repository.path, from, head))];
  right = Object.fromEntries(await Promise.all([near, far].map(rightFrom)));
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

function collect(from: string | null, options: Partial<HostOptions>) {
  Object.assign(host.options, options);
  return collectOf(testbed, repository, from);
}

const old = { protocol: 0 } as const;
const picky = { ...old, unadvertised: false } as const;
const codeCommit = { ...old, filter: false, since: false } as const;
const azure = { ...picky, tipOnly: true, since: false } as const;

/** How many requests it took at most, and how many kilobytes the host sent. */
type Cost = [requests: number, kilobytes: number];
const cases: [host: string, options: Partial<HostOptions>, strategy: string, cost: Cost][] = [
  ["that allows everything", {}, "blobless", [5, 45]],
  ["without filters", { filter: false }, "shallow", [5, 1_150]],
  ["of protocol 0 that allows everything", old, "blobless", [8, 45]],
  ["of protocol 0 without unadvertised commits", picky, "deepened", [10, 1_200]],
  ["of protocol 0 that allows tips only", { ...picky, tipOnly: true }, "blobless", [8, 45]],
  ["that ignores depth", { depth: "ignore" }, "blobless", [5, 120]],
  ["that ignores depth, without filters", { depth: "ignore", filter: false }, "full", [4, 1_500]],
  ["of protocol 0 that ignores depth", { ...old, depth: "ignore" }, "blobless", [8, 120]],
  ["of protocol 0 that ignores all", { ...old, depth: "ignore", filter: false }, "full", [4, 1_450]],
  ["without depth", { depth: "unsupported" }, "full", [8, 1_450]],
  ["of protocol 0 without depth", { ...old, depth: "unsupported" }, "full", [6, 1_450]],
  ["without dates", { since: false }, "blobless", [5, 45]],
  ["like CodeCommit", codeCommit, "shallow", [8, 1_150]],
  ["like Azure DevOps", azure, "blobless", [8, 45]],
];

test.each(cases)("a host %s", async (_, options, strategy, [requests, kilobytes]) => {
  const { event, diff } = await collect(near, options);
  expect(event).toMatchObject({ event: "collected", kind: "change", strategy, commits: 10 });
  expect(diff).toBe(right[near]);
  expect(host.requests.length).toBeLessThanOrEqual(requests);
  expect(host.bytesSent).toBeLessThan(kilobytes * kilo);
  // What is reported is what came, but for the talk around it.
  expect(event?.packBytes).toBeWithin(host.bytesSent * 0.7, host.bytesSent);
});

test.each([
  ["that allows everything", {}, "blobless", [5, 220]],
  ["of protocol 0 without unadvertised commits", picky, "deepened", [11, 1_550]],
  ["like Azure DevOps", azure, "blobless", [8, 250]],
] satisfies typeof cases)(
  "250 commits from a host %s",
  async (_, options, strategy, [requests, kilobytes]) => {
    const { event, diff } = await collect(far, options);
    expect(event).toMatchObject({ kind: "change", strategy, commits: 250 });
    expect(diff).toBe(right[far]);
    expect(host.requests.length).toBeLessThanOrEqual(requests);
    expect(host.bytesSent).toBeLessThan(kilobytes * kilo);
  },
);

test("a single commit needs no look at the history", async () => {
  const from = await repository.git("rev-parse", "main~1");
  const { event } = await collect(from, {});
  expect(event).toMatchObject({ kind: "change", strategy: "blobless", commits: 1 });
  expect(host.requests.length).toBeLessThanOrEqual(4);
  expect(host.bytesSent).toBeLessThan(20 * kilo);
});

test("a baseline takes one commit with its files, and no history", async () => {
  const { event, diff } = await collect(null, {});
  expect(event).toMatchObject({ kind: "baseline", strategy: "shallow", commits: null });
  expect(diff).toBe(latin1(await oracle(repository.path, null, head)));
  expect(host.bytesSent).toBeLessThan(1_150 * kilo);
});

test.each([
  ["protocol 2", {}, ["info/refs", "git-upload-pack"]],
  ["protocol 0", old, ["info/refs"]],
] as const)(
  "where nothing changed, %s is asked for its head and AWS for the cursor",
  async (_, options, asked) => {
    const { event, diff, calls } = await collect(head, options);
    expect({ event, diff }).toMatchObject({ event: { event: "unchanged", commit: head }, diff: undefined });
    expect(host.requests.map(({ path }) => path.replace("/work.git/", ""))).toEqual([...asked]);
    expect(host.bytesSent).toBeLessThan(2 * kilo);
    expect(calls).toEqual(["GetParameter", "ListObjectsV2"]);
  },
);

test("of a thousand branches, the host is asked for one", async () => {
  const many = await testbed.repository("many");
  const at = await many.head();
  const names = Array.from({ length: 1_000 }, (_, each) => `create refs/heads/branch-${each} ${at}\n`);
  await many.gitBytes(["update-ref", "--stdin"], Buffer.from(names.join("")));
  for (const GIT_BRANCH of ["", "main", "branch-1"]) {
    host.reset();
    const { event } = await collectOf(testbed, many, at, { GIT_BRANCH });
    expect(event).toMatchObject({ event: "unchanged", commit: at });
    expect(host.bytesSent).toBeLessThan(10 * kilo);
  }
});

test("a host that refuses to omit trees is asked to omit files", async () => {
  const repository = await testbed.repository("trees");
  const first = await repository.git("rev-list", "--max-parents=0", "HEAD");
  await repository.git("config", "uploadpackfilter.tree.allow", "false");
  await repository.write("file", "three\n");
  await repository.commit();
  const target = await testbed.target(repository, first);
  expect((await target.run()).events[0]).toMatchObject({ strategy: "blobless" });
});
