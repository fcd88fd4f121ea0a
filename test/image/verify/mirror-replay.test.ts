import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  type Mirror,
  type MirroredRepository,
  makeMirroredRepository,
  packOfStep,
} from "../../fixtures/damageable-mirror.ts";
import { forgeFile, forgePack, forgeRecord } from "../../fixtures/forged-mirror.ts";
import type { Ran } from "../../fixtures/worker.ts";

setDefaultTimeout(180_000);

let mirrored: MirroredRepository;
const addStep = async (text: string) => {
  await mirrored.repository.write(`files/${text}`, `${text}\n`);
  await mirrored.repository.commit();
  expect(await mirrored.run()).toMatchObject({ status: 0, stderr: "" });
};

beforeAll(async () => {
  mirrored = await makeMirroredRepository();
  // A submodule's commit is in another repository.
  await mirrored.repository.submodule("module", "1".repeat(40));
  for (const text of ["one", "two", "three"]) await addStep(text);
});
afterAll(() => mirrored[Symbol.asyncDispose]());

const found = ({ events }: Ran) =>
  events.filter(({ event }) => event === "finding").map(({ code, object }) => `${code} ${object}`);
const pack = async (mirror: Mirror, number: number) =>
  `objects/pack/${await packOfStep(mirror, number)}.pack`;

/** Expects that only a replay finds the damage. */
async function expectFound(mirror: Mirror, ...findings: string[]): Promise<Ran> {
  const without = await mirror.verify();
  expect({ found: found(without), status: without.status }).toEqual({ found: [], status: 0 });
  const ran = await mirror.verify("--replay");
  expect(found(ran)).toEqual(findings);
  expect(ran).toMatchObject({ status: 1, stderr: "", left: [] });
  return ran;
}

test("a pack that lacks an object which its commits need, and no other pack has", async () => {
  const { mirror } = await mirrored.fork();
  const lost = (await mirrored.repository.git("rev-parse", "HEAD~1:files/two")).trim();
  await forgePack(mirror, 2, (line) => !line.startsWith(lost));
  const { events } = await expectFound(
    mirror,
    `objects-missing ${await pack(mirror, 2)}`,
    `objects-missing ${await pack(mirror, 3)}`,
  );
  expect(events[0]?.message).toContain(lost);
});

test("a baseline that lacks an object", async () => {
  const { mirror } = await mirrored.fork();
  await forgePack(mirror, 1, (line) => !line.includes(" blob "));
  const ran = await mirror.verify("--replay");
  expect(found(ran)).toContain(`pack-broken ${await pack(mirror, 1)}`);
});

test("a commit to which a ref led, in no pack", async () => {
  const { mirror } = await mirrored.fork();
  const lost = await mirrored.repository.git("rev-parse", "HEAD");
  await forgePack(mirror, 3, (line) => !line.startsWith(lost));
  const { events } = await expectFound(mirror, "objects-missing _steps/0000000003.json");
  expect(events[0]?.message).toContain(lost);
});

test("a merged pack that lacks what it replaces", async () => {
  const { mirror } = await mirrored.fork();
  const [second, third] = [await packOfStep(mirror, 2), await packOfStep(mirror, 3)];
  await forgeRecord(mirror, 3, (known) => ({
    ...known,
    replaces: [second],
    packs: known.packs.filter((name: string) => name !== second),
  }));
  const list = (await mirror.read("objects/info/packs")).toString();
  await mirror.write("objects/info/packs", list.replace(`P ${second}.pack\n`, ""));
  await expectFound(
    mirror,
    `objects-missing objects/pack/${third}.pack`,
    `objects-missing objects/pack/${third}.pack`,
  );
});

test("a pack whose objects are damaged, although its record says so", async () => {
  const { mirror } = await mirrored.fork();
  await forgeFile(mirror, 2, "pack", (content) => {
    content[20] = (content[20] ?? 0) ^ 1;
    return content;
  });
  await expectFound(mirror, `pack-broken ${await pack(mirror, 2)}`);
});

test("an index with another place of an object, although its record says so", async () => {
  const { mirror } = await mirrored.fork();
  await forgeFile(mirror, 2, "idx", (content) => {
    // The last offset, before the two hashes at the end.
    content[content.length - 41] = (content[content.length - 41] ?? 0) ^ 1;
    const body = content.subarray(0, -20);
    return Buffer.concat([body, createHash("sha1").update(body).digest()]);
  });
  await expectFound(mirror, `index-foreign objects/pack/${await packOfStep(mirror, 2)}.idx`);
});

test("a flipped bit is one finding in a replay too", async () => {
  const { mirror } = await mirrored.fork();
  const name = await pack(mirror, 2);
  const content = await mirror.read(name);
  content[30] = (content[30] ?? 0) ^ 1;
  await mirror.write(name, content);
  expect(found(await mirror.verify("--replay"))).toEqual([`pack-altered ${name}`]);
  // The baseline is the first part, and larger than the others together.
  expect(found(await mirror.verify("--replay", "--part", "1/2"))).toEqual([]);
  expect(found(await mirror.verify("--replay", "--part", "2/2"))).toEqual([`pack-altered ${name}`]);
  expect(found(await mirror.verify("--part", "1/2"))).toEqual([]);
  expect(found(await mirror.verify("--part", "2/2"))).toEqual([`pack-altered ${name}`]);
});

test("--part needs a mirror, and is a part", async () => {
  for (const args of [
    ["--part", "3/2"],
    ["--part", "0/2"],
    ["--part", "half"],
  ]) {
    expect(await mirrored.mirror.verify(...args)).toMatchObject({ status: 2 });
  }
});

test("packs that were merged hold, and nothing else is there", async () => {
  for (let step = 4; step <= 36; step++) await addStep(`step-${step}`);
  const { status, events } = await mirrored.mirror.verify("--replay");
  expect(found({ events } as Ran)).toEqual([]);
  expect(events[0]).toMatchObject({ holds: true, steps: 36, packs: 36, replayed: 36 });
  expect(status).toBe(0);
  const records = await Promise.all(
    Array.from({ length: 36 }, async (_, index) =>
      (await mirrored.mirror.read(`_steps/${String(index + 1).padStart(10, "0")}.json`)).toString(),
    ),
  );
  expect(records.some((text) => JSON.parse(text).replaces.length > 0)).toBe(true);
});
