import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { recordName } from "../../../image/chain/record.ts";
import { type Aws, startAws } from "../../fixtures/aws.ts";
import {
  amendRecord,
  bucketMirror,
  copyFolder,
  copyMirror,
  folderMirror,
  type Mirror,
  type MirroredRepository,
  makeMirroredRepository,
  packOfStep,
  readMirrorRecord,
} from "../../fixtures/damageable-mirror.ts";

setDefaultTimeout(180_000);

let mirrored: MirroredRepository;
let other: MirroredRepository;
let aws: Aws;
/** The mirror after each step, from 1. */
const after: Mirror[] = [];
let copies = 0;

/** Five steps: a baseline, a new branch and a tag, a change, a deletion (no pack), a force push and another HEAD. */
async function mirrorFiveSteps(name: string): Promise<MirroredRepository> {
  const made = await makeMirroredRepository();
  const { repository } = made;
  const changes = [
    async () => {
      await repository.write("file", `${name}\n`);
      await repository.commit();
    },
    async () => {
      await repository.git("checkout", "--quiet", "-b", "topic");
      await repository.write("topic", `${name}\n`);
      await repository.commit();
      await repository.git("tag", "-a", "v1", "-m", "One");
    },
    async () => {
      await repository.git("checkout", "--quiet", "main");
      await repository.write("file", `${name} three\n`);
      await repository.commit();
    },
    () => repository.git("branch", "--quiet", "-D", "topic"),
    async () => {
      await repository.git("reset", "--quiet", "--hard", "HEAD~1");
      await repository.write("file", `${name} five\n`);
      await repository.commit();
      await repository.git("checkout", "--quiet", "-b", "trunk");
    },
  ];
  for (const change of changes) {
    await change();
    expect(await made.run()).toMatchObject({ status: 0, stderr: "" });
    if (name === "ours")
      after.push(await copyFolder(made.mirror, join(made.root, `after-${after.length + 1}`)));
  }
  return made;
}

beforeAll(async () => {
  [mirrored, other, aws] = await Promise.all([
    mirrorFiveSteps("ours"),
    mirrorFiveSteps("theirs"),
    startAws(),
  ]);
});
afterAll(async () => {
  await Promise.all([mirrored[Symbol.asyncDispose](), other[Symbol.asyncDispose](), aws.close()]);
});

const flip = (bytes: Buffer, at: number) => {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  return flipped;
};
const file = async (mirror: Mirror, number: number, ending: string) =>
  `objects/pack/${await packOfStep(mirror, number)}.${ending}`;
const restoreFrom = async (number: number, mirror: Mirror, ...names: string[]) => {
  for (const name of names) await mirror.write(name, await (after[number - 1] as Mirror).read(name));
};

/** A finding as `code object`, problems marked. */
type Damage = [name: string, damage: (mirror: Mirror) => Promise<unknown>, ...findings: string[]];

const damages: Damage[] = [
  [
    "a bit of a pack flipped",
    async (mirror) => {
      const name = await file(mirror, 2, "pack");
      await mirror.write(name, flip(await mirror.read(name), 40));
    },
    "! pack-altered pack-2.pack",
  ],
  [
    "a pack cut short",
    async (mirror) => {
      const name = await file(mirror, 1, "pack");
      await mirror.write(name, (await mirror.read(name)).subarray(0, -1));
    },
    "! pack-altered pack-1.pack",
  ],
  [
    "a missing pack",
    async (mirror) => mirror.remove(await file(mirror, 3, "pack")),
    "! pack-missing pack-3.pack",
  ],
  [
    "a missing index",
    async (mirror) => mirror.remove(await file(mirror, 3, "idx")),
    "! index-missing pack-3.idx",
  ],
  [
    "a bit of an index flipped",
    async (mirror) => {
      const name = await file(mirror, 2, "idx");
      await mirror.write(name, flip(await mirror.read(name), 1_100));
    },
    "! index-altered pack-2.idx",
  ],
  [
    "the index of another pack",
    async (mirror) =>
      mirror.write(await file(mirror, 2, "idx"), await mirror.read(await file(mirror, 1, "idx"))),
    "! index-foreign pack-2.idx",
  ],
  [
    "a stray pack",
    (mirror) => mirror.write("objects/pack/pack-0000000000000000000000000000000000000000.pack", "PACK"),
    "  object-unnamed pack-0000000000000000000000000000000000000000.pack",
  ],
  [
    "a changed record in the middle",
    (mirror) => amendRecord(mirror, 3, (known) => ({ ...known, finished: "2020-01-01T00:00:00Z" })),
    "! record-changed 3",
  ],
  [
    "a last record without its own pack in its list",
    (mirror) => amendRecord(mirror, 5, (known) => ({ ...known, packs: known.packs.slice(1) })),
    "! record-changed 5",
  ],
  [
    "a record that names another force push",
    (mirror) =>
      amendRecord(mirror, 5, (known) => {
        const [[name, , ...rest]] = known.refs;
        return { ...known, refs: [[name, "1".repeat(40), ...rest]] };
      }),
    "! record-changed 5",
  ],
  [
    "a last record without an older pack in its list",
    (mirror) => amendRecord(mirror, 5, (known) => ({ ...known, packs: known.packs.slice(0, -1) })),
    "! record-changed 5",
  ],
  [
    "a last record that leads to another state",
    (mirror) => amendRecord(mirror, 5, (known) => ({ ...known, to: "1".repeat(40) })),
    "! record-changed 5",
  ],
  [
    "a record that moves a ref elsewhere",
    (mirror) =>
      amendRecord(mirror, 2, (known) => ({
        ...known,
        refs: known.refs.map(([name, old, , peeled]: string[]) => [name, old, "1".repeat(40), peeled]),
      })),
    "! record-changed 2",
  ],
  [
    "a first record that does not begin with nothing",
    (mirror) => amendRecord(mirror, 1, (known) => ({ ...known, before: "1".repeat(64) })),
    "! record-changed 1",
  ],
  [
    "a record of another mirror",
    async (mirror) => mirror.write(recordName(3), await other.mirror.read(recordName(3))),
    "! record-foreign 3",
    "! pack-missing other-3.pack",
    "! index-missing other-3.idx",
    "! pack-missing other-2.pack",
    "! index-missing other-2.idx",
    "! pack-missing other-1.pack",
    "! index-missing other-1.idx",
  ],
  ["a missing record in the middle", (mirror) => mirror.remove(recordName(3)), "! gap 3"],
  [
    "two missing records",
    async (mirror) => {
      for (const number of [2, 3]) await mirror.remove(recordName(number));
    },
    "! gap 2",
  ],
  [
    "a missing last record",
    (mirror) => mirror.remove(recordName(5)),
    "! cursor-ahead cursor",
    "  object-unnamed pack-5.idx",
    "  object-unnamed pack-5.pack",
  ],
  ["a garbage record", (mirror) => mirror.write(recordName(2), "{}"), "! record-invalid 2"],
  [
    "a copy of a record under another name",
    async (mirror) => mirror.write(recordName(3), await mirror.read(recordName(2))),
    "! record-misnamed 3",
  ],
  [
    "an unfinished record in the middle",
    (mirror) => amendRecord(mirror, 4, (known) => ({ ...known, state: "claimed" })),
    "! unfinished 4",
  ],
  [
    "refs rolled back to an older state",
    (mirror) => restoreFrom(3, mirror, "HEAD", "info/refs"),
    "! refs-rolled-back info/refs",
  ],
  [
    "everything published rolled back, but the cursor",
    (mirror) => restoreFrom(1, mirror, "HEAD", "info/refs", "objects/info/packs"),
    "! refs-rolled-back info/refs",
    "! packs-list-changed objects/info/packs",
  ],
  [
    "a ref edited",
    async (mirror) => {
      const text = (await mirror.read("info/refs")).toString();
      await mirror.write("info/refs", text.replace(/^[0-9a-f]{40}/, "1".repeat(40)));
    },
    "! refs-changed info/refs",
  ],
  ["another HEAD", (mirror) => mirror.write("HEAD", "ref: refs/heads/other\n"), "! refs-changed info/refs"],
  ["no list of refs", (mirror) => mirror.remove("info/refs"), "! refs-changed info/refs"],
  [
    "a list of packs without one",
    async (mirror) => {
      const text = (await mirror.read("objects/info/packs")).toString();
      await mirror.write("objects/info/packs", text.replace(`P ${await packOfStep(mirror, 2)}.pack\n`, ""));
    },
    "! packs-list-changed objects/info/packs",
  ],
  [
    "no list of packs",
    (mirror) => mirror.remove("objects/info/packs"),
    "! packs-list-changed objects/info/packs",
  ],
  [
    "a cursor ahead of the chain",
    (mirror) => mirror.write("cursor", `${"1".repeat(40)} 6\n`),
    "! cursor-ahead cursor",
  ],
  ["a cursor two steps behind", (mirror) => restoreFrom(3, mirror, "cursor"), "! cursor-behind cursor"],
  ["a cursor one step behind", (mirror) => restoreFrom(4, mirror, "cursor"), "  cursor-behind cursor"],
  [
    "a run that died before it published",
    (mirror) => restoreFrom(4, mirror, "HEAD", "info/refs", "objects/info/packs", "cursor"),
    "  cursor-behind cursor",
  ],
  [
    "a run that died between the packs and the refs",
    (mirror) => restoreFrom(4, mirror, "HEAD", "info/refs", "cursor"),
    "  cursor-behind cursor",
  ],
  [
    "a run that died between HEAD and the refs",
    (mirror) => restoreFrom(4, mirror, "info/refs", "cursor"),
    "  cursor-behind cursor",
  ],
  ["no cursor", (mirror) => mirror.remove("cursor"), "! cursor-behind cursor"],
  ["a cursor that is none", (mirror) => mirror.write("cursor", "HEAD\n"), "! cursor-invalid cursor"],
  [
    "a cursor at another state",
    (mirror) => mirror.write("cursor", `${"1".repeat(40)} 5\n`),
    "! cursor-invalid cursor",
  ],
  [
    "no record",
    async (mirror) => {
      for (const number of [1, 2, 3, 4, 5]) await mirror.remove(recordName(number));
      for (const name of await mirror.names())
        if (name.startsWith("objects/pack/")) await mirror.remove(name);
    },
    "! nothing-mirrored _steps/",
    "! cursor-ahead cursor",
  ],
];

/** Names packs by the step that added them, and records by their number. */
async function shorten(): Promise<(object: string) => string> {
  const names = new Map<string, string>();
  for (const [label, { mirror }] of [
    ["pack", mirrored],
    ["other", other],
  ] as const) {
    for (const number of [1, 2, 3, 4, 5]) {
      const { pack } = await readMirrorRecord(mirror, number);
      if (pack) names.set(pack.name, `${label}-${number}`);
    }
  }
  return (object) =>
    object
      .replace(/^objects\/pack\//, "")
      .replace(/pack-[0-9a-f]{40}/, (name) => names.get(name) ?? name)
      .replace(/^_steps\/0*(\d+)\.json$/, "$1");
}

/** Those that a bucket is tried with too. */
const inBucket =
  /^(a bit of|the index of|a stray|a changed record|a record of another|a missing record|refs rolled|a list of packs|no list of refs|a cursor (ahead|two)|no record)/;

describe.each(["folder", "bucket"])("in a %s", (kind) => {
  const copy = async () => {
    const name = `copy-${++copies}`;
    if (kind === "folder")
      return copyMirror(mirrored.mirror, folderMirror(join(mirrored.root, `${name}.git`)));
    return copyMirror(mirrored.mirror, bucketMirror(aws, await aws.createBucket(name), "some/prefix.git"));
  };

  test("a mirror that holds", async () => {
    const mirror = await copy();
    for (const args of [[], ["--replay"], ["--replay", "--part", "2/2"]]) {
      const { status, events, stderr } = await mirror.verify(...args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(events.map(({ event }) => event)).toEqual(["verified", "summary"]);
      const { to } = await readMirrorRecord(mirror, 5);
      const replayed = args.length === 0 ? null : args.length === 1 ? 4 : expect.any(Number);
      expect(events[0]).toMatchObject({ place: mirror.place, holds: true, steps: 5, packs: 4, to, replayed });
    }
  });

  test.each(damages.filter(([name]) => kind === "folder" || inBucket.test(name)))(
    "%s",
    async (_, damage, ...findings) => {
      const mirror = await copy();
      const short = await shorten();
      await damage(mirror);
      const { status, events, stderr } = await mirror.verify();
      const found = events.filter(({ event }) => event === "finding");
      expect(
        found
          .map(({ level, code, object }) => `${level === "problem" ? "!" : " "} ${code} ${short(object)}`)
          .sort(),
      ).toEqual(findings.sort());
      for (const { message, remedy } of found)
        expect([message, remedy]).toEqual([expect.stringMatching(/\.$/), expect.stringMatching(/\w{4}/)]);
      const holds = !findings.some((finding) => finding.startsWith("!"));
      expect({ status, stderr }).toEqual({ status: holds ? 0 : 1, stderr: "" });
    },
  );
});
