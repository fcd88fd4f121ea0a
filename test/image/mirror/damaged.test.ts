import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { recordName } from "../../../image/chain/record.ts";
import {
  amendRecord,
  copyFolder,
  type Mirror,
  type MirroredRepository,
  makeMirroredRepository,
  packOfStep,
} from "../../fixtures/damageable-mirror.ts";

setDefaultTimeout(180_000);

let mirrored: MirroredRepository;
/** The mirror after each step, from 1. */
const after: Mirror[] = [];

/** Three steps, and a commit that is not mirrored yet. */
beforeAll(async () => {
  mirrored = await makeMirroredRepository();
  for (const number of [1, 2, 3]) {
    await mirrored.repository.write(`file-${number}`, `${number}\n`);
    await mirrored.repository.commit();
    expect(await mirrored.run()).toMatchObject({ status: 0 });
    after.push(await copyFolder(mirrored.mirror, `${mirrored.root}/after-${number}`));
  }
  await mirrored.repository.write("file-4", "4\n");
  await mirrored.repository.commit();
});
afterAll(() => mirrored[Symbol.asyncDispose]());

const restoreFrom = async (number: number, mirror: Mirror, ...names: string[]) => {
  for (const name of names) await mirror.write(name, await (after[number - 1] as Mirror).read(name));
};
const edit = async (mirror: Mirror, name: string, change: (text: string) => string) =>
  mirror.write(name, change((await mirror.read(name)).toString()));
const withoutPack = async (mirror: Mirror, number: number) => {
  const line = `P ${await packOfStep(mirror, number)}.pack\n`;
  await edit(mirror, "objects/info/packs", (text) => text.replace(line, ""));
};

type Lie = [
  name: string,
  tell: (mirror: Mirror) => Promise<unknown>,
  message: RegExp,
  /** @default mirror-damaged */
  code?: string,
];

const lies: Lie[] = [
  [
    "the index of another pack",
    async (mirror) => {
      const index = await mirror.read(`objects/pack/${await packOfStep(mirror, 1)}.idx`);
      await mirror.write(`objects/pack/${await packOfStep(mirror, 2)}.idx`, index);
    },
    /\.idx is not the index of this pack/,
  ],
  [
    "a missing index",
    async (mirror) => mirror.remove(`objects/pack/${await packOfStep(mirror, 2)}.idx`),
    /\.idx is missing, although/,
    "object-missing",
  ],
  [
    "a missing pack",
    async (mirror) => mirror.remove(`objects/pack/${await packOfStep(mirror, 2)}.pack`),
    /\.pack is missing, although/,
    "object-missing",
  ],
  [
    "the last record changed",
    (mirror) => amendRecord(mirror, 3, (known) => ({ ...known, to: "1".repeat(40) })),
    /0003\.json is not the record that leads to/,
  ],
  [
    "the last record missing",
    (mirror) => mirror.remove(recordName(3)),
    /0003\.json is not the record that leads to/,
  ],
  [
    "another record in its place",
    async (mirror) => mirror.write(recordName(3), await mirror.read(recordName(2))),
    /0003\.json is not the record that leads to/,
  ],
  [
    "a list of packs without an old one",
    (mirror) => withoutPack(mirror, 1),
    /packs does not list the packs of/,
  ],
  [
    "a list of packs without the newest",
    (mirror) => withoutPack(mirror, 3),
    /packs does not list the packs of/,
  ],
  ["no list of packs", (mirror) => mirror.remove("objects/info/packs"), /packs does not list the packs of/],
  [
    "a cursor ahead, with the right state",
    (mirror) => edit(mirror, "cursor", (text) => text.replace(" 3", " 5")),
    /0005\.json is not the record that leads to/,
  ],
  [
    "a cursor ahead, with another state",
    (mirror) => mirror.write("cursor", `${"1".repeat(40)} 4\n`),
    /do not have the state 1{40} of step 4/,
  ],
];

test.each(lies)(
  "%s: the run fails, and publishes nothing",
  async (_, tell, message, code = "mirror-damaged") => {
    const { mirror, run } = await mirrored.fork();
    await tell(mirror);
    const before = await contentOf(mirror);
    const { status, events } = await run();
    expect(events[0]).toMatchObject({
      event: "failed",
      code,
      message: expect.stringMatching(message),
    });
    expect(status).toBe(1);
    const now = await contentOf(mirror);
    // At most a claim, which the next run takes over.
    now.delete(recordName(4));
    expect(now).toEqual(before);
  },
);

test.each([
  ["the refs, without the cursor", ["HEAD", "info/refs"]],
  ["the cursor", ["cursor"]],
  ["everything published", ["cursor", "HEAD", "info/refs", "objects/info/packs"]],
])("%s one step behind: the run publishes that step by its record, and goes on", async (_, names) => {
  const { mirror, run } = await mirrored.fork();
  await restoreFrom(2, mirror, ...names);
  expect(await run()).toMatchObject({ status: 0 });
  const { status, events } = await mirror.verify("--replay");
  expect(events[0]).toMatchObject({ event: "verified", holds: true, steps: 4, notes: 0 });
  expect(status).toBe(0);
});

test("a flipped pack is not merged into a new one", async () => {
  await using many = await makeMirroredRepository();
  const addStep = async (number: number) => {
    await many.repository.write(`file-${number}`, `${number}\n`);
    await many.repository.commit();
  };
  for (let number = 1; number <= 32; number++) {
    await addStep(number);
    expect(await many.run()).toMatchObject({ status: 0 });
  }
  await addStep(33);
  for (const at of [40, -1]) {
    const { mirror, run } = await many.fork();
    const name = `objects/pack/${await packOfStep(mirror, 31)}.pack`;
    const content = await mirror.read(name);
    content.writeUInt8((content.at(at) ?? 0) ^ 1, at < 0 ? content.length + at : at);
    await mirror.write(name, content);
    const before = await contentOf(mirror);
    const { events, status, left } = await run();
    expect(events[0]).toMatchObject({ event: "failed", code: "mirror-damaged" });
    expect(events[0]?.message).toContain(name);
    expect({ status, left }).toEqual({ status: 1, left: [] });
    const now = await contentOf(mirror);
    now.delete(recordName(33));
    expect(now).toEqual(before);
  }
});

test.each<[string, (mirror: Mirror) => Promise<unknown>]>([
  ["two steps behind", (mirror) => restoreFrom(1, mirror, "cursor")],
  ["gone", (mirror) => mirror.remove("cursor")],
])("with the cursor %s, the run publishes what the records say, and goes on", async (_, tell) => {
  const { mirror, run } = await mirrored.fork();
  await tell(mirror);
  expect(await run()).toMatchObject({ status: 0 });
  const { events } = await mirror.verify("--replay");
  expect(events[0]).toMatchObject({ event: "verified", holds: true, steps: 4, notes: 0 });
});

async function contentOf(mirror: Mirror): Promise<Map<string, string>> {
  const content = new Map<string, string>();
  for (const name of await mirror.names()) content.set(name, (await mirror.read(name)).toString("hex"));
  return content;
}
