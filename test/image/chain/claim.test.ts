import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Claim } from "../../../image/chain/claim.ts";
import type { ClaimedStep } from "../../../image/chain/record.ts";
import { readRecord, type Versioned } from "../../../image/chain/record-store.ts";
import { folderObjects } from "../../../image/stores/folder.ts";
import type { ObjectStore } from "../../../image/stores/stores.ts";

const root = await mkdtemp(join(tmpdir(), "claim-"));
let number = 0;
let objects: ObjectStore;
beforeEach(() => {
  objects = folderObjects(join(root, String(++number)));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];
const step = (owner: string): ClaimedStep => ({
  schemaVersion: 1,
  state: "claimed",
  number: 1,
  repository: "https://host/a",
  ref: "refs/heads/main",
  kind: "change",
  from: a,
  to: b,
  diff: "a.diff",
  binary: false,
  cursor: null,
  last: a,
  previous: null,
  expected: null,
  owner,
  claimed: "2026-01-02T03:04:05.000Z",
  scheduled: "2026-01-02T03:04:05.000Z",
});
const stored = async () => (await readRecord(objects, 1)) as Versioned<ClaimedStep>;

test("of two runs that create a step, one succeeds", async () => {
  const claims = await Promise.all(["one", "two"].map((owner) => Claim.create(objects, step(owner))));
  const held = claims.filter((claim) => claim !== undefined);
  expect(held).toHaveLength(1);
  expect((await stored()).record.owner).toBe(held[0]?.record.owner as string);
});

test("of two runs that take a step over, one succeeds", async () => {
  await Claim.create(objects, step("dead"));
  const found = await stored();
  const by = (owner: string) => ({ owner, claimed: "2026-01-02T04:00:00.000Z" });
  const claims = await Promise.all(["one", "two"].map((owner) => Claim.takeOver(objects, found, by(owner))));
  expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
});

test("amending changes the record, again and again", async () => {
  const claim = await Claim.create(objects, step("one"));
  await claim?.amend({ kind: "restarted" });
  await claim?.amend({ to: c });
  expect((await stored()).record).toEqual({ ...step("one"), kind: "restarted", to: c });
});

test("after a takeover, the first run can neither amend nor release", async () => {
  const claim = await Claim.create(objects, step("one"));
  await Claim.takeOver(objects, await stored(), { owner: "two", claimed: "2026-01-02T04:00:00.000Z" });
  await expect(claim?.amend({ to: c })).rejects.toMatchObject({ code: "lease-lost" });
  await claim?.release();
  expect((await stored()).record).toMatchObject({ owner: "two", claimed: "2026-01-02T04:00:00.000Z", to: b });
});

test("a released step can be taken over at once", async () => {
  const claim = await Claim.create(objects, step("one"));
  await claim?.release();
  expect((await stored()).record.claimed).toBe("1970-01-01T00:00:00.000Z");
});
