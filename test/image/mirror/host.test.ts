import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { git } from "../../fixtures/git.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { formatPackets, type Packet, packet, parsePackets } from "../../fixtures/packets.ts";
import { makeRepository } from "../../fixtures/repository.ts";

setDefaultTimeout(60_000);

/** Makes a mirrored repository with one step, and a further commit on the host. */
async function makeMirrored(protocol: 0 | 2 = 2) {
  const mirrored = await makeMirroredRepository({ protocol });
  const { repository } = mirrored;
  await repository.write("file", "one\n");
  await repository.commit();
  await mirrored.step();
  await repository.write("folder/file", "two\n");
  await repository.write("other", "three\n");
  await repository.commit();
  mirrored.host.reset();
  return mirrored;
}

/** Everything that is published, and the packs. */
async function published({ folder }: MirroredRepository) {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("_steps"))
    .map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(names.sort().map(async (name) => [name, Bun.hash(await Bun.file(name).bytes())]));
}

/** Expects that a run fails with this code and changes nothing, and that the next one with an honest host succeeds. */
async function expectRefused(mirrored: MirroredRepository, code: string, message = "") {
  const before = await published(mirrored);
  const error = await mirrored.run().catch((error) => error);
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
  expect(await published(mirrored)).toEqual(before);
  mirrored.host.reset();
  expect(await mirrored.step()).toMatchObject({ status: "mirrored", steps: [{ number: 2 }] });
  await mirrored.expectEveryStepWhole();
}

/** What a host makes of the packets of a list of refs. */
type Change = (packets: Packet[]) => Packet[];
const line = (text: string) => packet(`${text}\n`);
const id = "1".repeat(40);
const main = (packets: Packet[]) => packets.findIndex(({ payload }) => payload?.includes(" refs/heads/main"));
const add =
  (...lines: Packet[]): Change =>
  (packets) =>
    packets.toSpliced(main(packets) + 1, 0, ...lines);
const replaceHead =
  (text: string): Change =>
  (packets) =>
    packets.map((each) => (each.payload?.includes(" HEAD") ? line(text) : each));

describe("a host that lies about its refs", () => {
  const lies: [lie: string, change: Change, code: string, message: string][] = [
    ["a path out of the mirror", add(line(`${id} refs/heads/../x`)), "ref-invalid", "refs/heads/../x"],
    ["a newline in a name", add(line(`${id} refs/heads/a\nb`)), "ref-invalid", "name that git forbids"],
    [
      "a name in another encoding",
      add(packet(Buffer.from(`${id} refs/heads/\xfc\n`, "latin1"))),
      "ref-invalid",
      "not UTF-8",
    ],
    ["no id", add(line("none refs/heads/x")), "ref-invalid", "no object id"],
    ["a tag that leads to no id", add(line(`${id} refs/tags/x peeled:none`)), "ref-invalid", "no object id"],
    ["a ref twice", add(line(`${id} refs/heads/x`), line(`${id} refs/heads/x`)), "ref-twice", "refs/heads/x"],
    [
      "a ref below another",
      add(line(`${id} refs/heads/main/x`)),
      "ref-conflict",
      "refs/heads/main and refs/heads/main/x",
    ],
    [
      "a HEAD that leads out of the mirror",
      replaceHead(`${id} HEAD symref-target:refs/../x`),
      "ref-invalid",
      "HEAD",
    ],
    ["a HEAD that leads elsewhere", replaceHead(`${id} HEAD symref-target:config`), "ref-invalid", "HEAD"],
    ["a HEAD without an id", replaceHead("none HEAD"), "ref-invalid", "HEAD"],
    [
      "a list without an end",
      (packets) => [...Array(500_001).fill(line(`${id} refs/heads/x`)), ...packets],
      "answer-too-large",
      "refs",
    ],
  ];
  test.each(lies)("%s: nothing is mirrored", async (_, change, code, message) => {
    await using mirrored = await makeMirrored();
    const body = (answer: Buffer) => formatPackets(change(parsePackets(answer)));
    mirrored.host.options.instead = { request: 2, body };
    await expectRefused(mirrored, code, message);
  });

  test.each([2, 0] as const)("a tag that leads elsewhere, or is none, over protocol %i", async (protocol) => {
    for (const [truth, lie] of [
      ["annotated", "another commit"],
      ["annotated", "no tag"],
      ["light", "a tag"],
    ] as const) {
      await using mirrored = await makeMirrored(protocol);
      const { repository, host } = mirrored;
      await repository.git("tag", ...(truth === "light" ? ["light"] : ["-m", "x", "annotated"]));
      const tag = await repository.git("rev-parse", truth);
      const peeled = await repository.git("rev-parse", `${truth}^{}`);
      const first = await repository.git("rev-parse", "HEAD~");
      const lines: Record<typeof lie, string[]> = {
        "another commit": [`${tag} refs/tags/annotated`, first],
        "no tag": [`${tag} refs/tags/annotated`],
        "a tag": [`${tag} refs/tags/light`, first],
      };
      const [ref = "", target] = lines[lie];
      const said =
        protocol === 2
          ? [`${ref}${target ? ` peeled:${target}` : ""}`]
          : [ref, ...(target ? [`${target} ${ref.slice(41)}^{}`] : [])];
      const change: Change = (packets) => {
        const others = packets.filter(({ payload }) => !payload?.includes(" refs/tags/"));
        return others.toSpliced(main(others) + 1, 0, ...said.map(line));
      };
      expect(peeled).not.toBe(first);
      host.options.instead = {
        request: protocol === 2 ? 2 : 1,
        body: (answer) => formatPackets(change(parsePackets(answer))),
      };
      await expectRefused(mirrored, "ref-invalid", `refs/tags/${truth}`);
    }
  });

  test.each([2, 0] as const)(
    "a tag or a commit that came with an earlier step leads elsewhere, over protocol %i",
    async (protocol) => {
      await using mirrored = await makeMirrored(protocol);
      const { repository, host, run, step } = mirrored;
      const first = await repository.git("rev-parse", "HEAD~");
      const tip = await repository.head();
      await repository.git("tag", "-m", "inner", "inner");
      await step();
      /** Makes a ref, lists it as what leads to this, and then honestly. */
      const expectLie = async (name: string, peeled: string, number: number) => {
        const id = await repository.git("rev-parse", name);
        const said =
          protocol === 2
            ? [`${id} refs/tags/${name}${peeled && ` peeled:${peeled}`}`]
            : [`${id} refs/tags/${name}`, ...(peeled ? [`${peeled} refs/tags/${name}^{}`] : [])];
        const change: Change = (packets) => {
          const others = packets.filter(({ payload }) => !payload?.includes(` refs/tags/${name}`));
          return others.toSpliced(main(others) + 1, 0, ...said.map(line));
        };
        host.reset();
        host.options.instead = {
          request: protocol === 2 ? 2 : 1,
          body: (answer) => formatPackets(change(parsePackets(answer))),
        };
        const before = await published(mirrored);
        expect(await run().catch((error) => error)).toMatchObject({
          code: "ref-invalid",
          message: expect.stringContaining(`refs/tags/${name}`),
        });
        expect(await published(mirrored)).toEqual(before);
        host.reset();
        expect(await step()).toMatchObject({ steps: [{ number }] });
      };
      // A new name of a tag, a new tag of that tag, a tag that was deleted meanwhile, and an old commit.
      await repository.git("update-ref", "refs/tags/again", "refs/tags/inner");
      await expectLie("again", first, 3);
      await repository.git("tag", "-m", "outer", "outer", "inner");
      await expectLie("outer", first, 4);
      const inner = await repository.git("rev-parse", "inner");
      await repository.git("tag", "-d", "again", "outer", "inner");
      await step();
      await repository.git("update-ref", "refs/tags/back", inner);
      await expectLie("back", "", 6);
      await repository.git("update-ref", "refs/tags/old", first);
      await expectLie("old", tip, 7);
      await mirrored.expectEveryStepWhole();
    },
  );

  test("over protocol 0: a list without an end", async () => {
    await using mirrored = await makeMirrored(0);
    const endless = add(...Array(500_001).fill(line(`${id} refs/heads/x`)));
    const body = (answer: Buffer) => formatPackets(endless(parsePackets(answer)));
    mirrored.host.options.instead = { request: 1, body };
    await expectRefused(mirrored, "answer-too-large", "refs");
  });

  test("over protocol 0: a path out of the mirror, a ref twice", async () => {
    for (const [lines, code] of [
      [[line(`${id} refs/heads/../x`)], "ref-invalid"],
      [[line(`${id} refs/heads/x`), line(`${id} refs/heads/x`)], "ref-twice"],
    ] as const) {
      await using mirrored = await makeMirrored(0);
      const body = (answer: Buffer) => formatPackets(add(...lines)(parsePackets(answer)));
      mirrored.host.options.instead = { request: 1, body };
      await expectRefused(mirrored, code);
    }
  });

  test("an unsorted list makes the same state", async () => {
    await using mirrored = await makeMirroredRepository();
    const { repository, host, run, step } = mirrored;
    await repository.write("file", "one\n");
    await repository.commit();
    for (const name of ["a", "z"]) await repository.git("branch", name);
    const unsorted: Change = (packets) => [...packets.slice(0, -1).reverse(), ...packets.slice(-1)];
    const body = (answer: Buffer) => formatPackets(unsorted(parsePackets(answer)));
    host.options.instead = { request: 2, body };
    await step();
    // In the host's own order.
    host.reset();
    expect(await run()).toMatchObject({ status: "unchanged" });
    host.reset();
    host.options.instead = { request: 2, body };
    expect(await run()).toMatchObject({ status: "unchanged" });
  });
});

/** The answer of a host to a fetch, with this pack. */
const answerWith = (pack: Buffer, protocol: 0 | 2 = 2) =>
  formatPackets([
    line(protocol === 2 ? "packfile" : "NAK"),
    ...Array.from({ length: Math.ceil(pack.length / 60_000) }, (_, part) =>
      packet(Buffer.concat([Buffer.from([1]), pack.subarray(part * 60_000, (part + 1) * 60_000)])),
    ),
    { length: "0000" },
  ]);

/** Packs these objects. */
const packOf = (cwd: string, ids: readonly string[]) =>
  git(["pack-objects", "--stdout", "-q"], { cwd, input: ids.map((each) => `${each}\n`).join("") });

describe("a host that lies about its objects", () => {
  /** The objects that the second step needs, by their paths. */
  const objectsOf = async ({ repository }: MirroredRepository) =>
    Object.fromEntries(
      await Promise.all(
        ["HEAD", "HEAD^{tree}", "HEAD:folder", "HEAD:folder/file", "HEAD:other"].map(
          async (name) => [name, await repository.git("rev-parse", name)] as const,
        ),
      ),
    ) as Record<string, string>;

  const names = ["HEAD", "HEAD^{tree}", "HEAD:folder", "HEAD:folder/file", "HEAD:other"];
  /** Answers the fetch of the next run with all objects that it needs but one, or none at all. */
  const omit = async (mirrored: MirroredRepository, protocol: 0 | 2, omitted: string) => {
    const objects = await objectsOf(mirrored);
    const sent = Object.entries(objects).flatMap(([name, each]) =>
      name === omitted || omitted === "everything" ? [] : each,
    );
    const answer = answerWith(await packOf(mirrored.repository.path, sent), protocol);
    mirrored.host.options.instead = { request: protocol === 2 ? 3 : 2, body: () => answer };
    return objects[omitted] ?? objects.HEAD ?? "";
  };

  describe.each([2, 0] as const)("over protocol %i", (protocol) => {
    test.each([...names, "everything"])("omits %s: nothing is published", async (omitted) => {
      await using mirrored = await makeMirrored(protocol);
      const missing = await omit(mirrored, protocol, omitted);
      await expectRefused(mirrored, "pack-incomplete", missing);
    });

    test.each([...names, "everything"])("omits %s in a first step", async (omitted) => {
      await using mirrored = await makeMirroredRepository({ protocol });
      const { repository, run, host, step, folder } = mirrored;
      await repository.write("folder/file", "two\n");
      await repository.write("other", "three\n");
      await repository.commit();
      await omit(mirrored, protocol, omitted);
      expect(await run().catch((error) => error)).toMatchObject({ code: "pack-incomplete" });
      expect((await readdir(folder)).filter((name) => !name.startsWith("_"))).toEqual([]);
      host.reset();
      expect(await step()).toMatchObject({ steps: [{ number: 1, kind: "baseline" }] });
    });
  });

  test("sends the pack of another repository", async () => {
    await using mirrored = await makeMirrored();
    await using other = await makeRepository({ branch: "other" });
    await other.write("foreign", "foreign\n");
    await other.commit();
    const pack = await git(["pack-objects", "--stdout", "--all", "-q"], { cwd: other.path, input: "" });
    mirrored.host.options.instead = { request: 3, body: () => answerWith(pack) };
    await expectRefused(mirrored, "pack-incomplete", await mirrored.repository.head());
  });

  test.each([
    ["no pack", () => Buffer.from("no pack at all")],
    [
      "a damaged pack",
      (pack: Buffer) => Buffer.concat([pack.subarray(0, -1), Buffer.from([(pack.at(-1) ?? 0) ^ 1])]),
    ],
    ["half of a pack", (pack: Buffer) => pack.subarray(0, pack.length >> 1)],
  ])("sends %s", async (_, change) => {
    await using mirrored = await makeMirrored();
    const { repository, host } = mirrored;
    const pack = await packOf(repository.path, Object.values(await objectsOf(mirrored)));
    host.options.instead = { request: 3, body: () => answerWith(change(pack)) };
    await expectRefused(mirrored, "pack-invalid");
  });

  test("sends a delta of an object that is not in the pack", async () => {
    await using mirrored = await makeMirrored();
    const { repository, host } = mirrored;
    const lines = Array.from({ length: 200 }, (_, each) => `line ${each}`);
    await repository.write("large", lines.join("\n"));
    await repository.commit();
    await mirrored.step();
    await repository.write("large", [...lines, "and one more"].join("\n"));
    const to = await repository.commit();
    const thin = await git(["pack-objects", "--stdout", "--thin", "--revs", "-q"], {
      cwd: repository.path,
      input: `${to}\n^${to}~1\n`,
    });
    host.reset();
    host.options.instead = { request: 3, body: () => answerWith(thin) };
    const error = await mirrored.run().catch((error) => error);
    expect(error).toMatchObject({ code: "pack-incomplete" });
  });
});

describe("a ref that the host cannot send", () => {
  /** Removes an object from the host's repository. */
  const lose = async ({ repository }: MirroredRepository, name: string) => {
    const object = await repository.git("rev-parse", name);
    await rm(join(repository.path, ".git/objects", object.slice(0, 2), object.slice(2)));
    return object;
  };

  test.each([2, 0] as const)("blocks no other, over protocol %i", async (protocol) => {
    await using mirrored = await makeMirrored(protocol);
    const { repository, run, step, record } = mirrored;
    for (let each = 0; each < 20; each++) {
      await repository.git("checkout", "--quiet", "-b", `branch-${each}`, "main");
      await repository.write(`file-${each}`, `${each}\n`);
      await repository.commit();
    }
    const old = await repository.git("rev-parse", "branch-7");
    await repository.git("checkout", "--quiet", "main");
    await step();
    const steps = (await record(2)) && 2;
    // One branch gets a broken commit, and one is new and broken.
    for (const name of ["branch-7", "new"]) {
      await repository.git("checkout", "--quiet", ...(name === "new" ? ["-b"] : []), name);
      await repository.write("lost", `lost ${name}\n`);
      await repository.commit();
    }
    await repository.git("checkout", "--quiet", "-b", "fine", "main");
    await repository.write("fine", "fine\n");
    await repository.commit();
    await repository.git("branch", "-D", "branch-3");
    const lost = [await lose(mirrored, "branch-7:lost"), await lose(mirrored, "new:lost")];
    const outcome = await run();
    expect(outcome).toMatchObject({
      status: "mirrored",
      steps: [{ number: steps + 1, refused: ["refs/heads/branch-7", "refs/heads/new"] }],
      failure: {
        code: "ref-refused",
        message: expect.stringContaining("refs/heads/branch-7, refs/heads/new"),
      },
    });
    const refs = (await mirrored.objects.get("info/refs"))?.text;
    expect(refs).toContain(`${await repository.git("rev-parse", "fine")}\trefs/heads/fine\n`);
    expect(refs).toContain(`${old}\trefs/heads/branch-7\n`);
    expect(refs).not.toContain("refs/heads/new");
    expect(refs).not.toContain("refs/heads/branch-3");
    expect(await mirrored.clone()).toContain(await repository.git("rev-parse", "fine"));
    // The next run asks again, stores nothing, and fails again.
    expect(await run().catch((error) => error)).toMatchObject({ code: "ref-refused" });
    expect(await run().catch((error) => error)).toMatchObject({ code: "ref-refused" });
    // Once it is repaired, it is mirrored.
    for (const name of ["branch-7", "new"])
      expect(lost).toContain(
        (await repository.gitBytes(["hash-object", "-w", "--stdin"], `lost ${name}\n`)).toString().trim(),
      );
    expect(await step()).toMatchObject({ status: "mirrored", steps: [{ number: steps + 2 }] });
    await mirrored.expectEveryStepWhole();
  });

  test("of a first step is left out", async () => {
    await using mirrored = await makeMirroredRepository();
    const { repository, run, host } = mirrored;
    for (const name of ["main", "a", "b", "broken"]) {
      if (name !== "main") await repository.git("checkout", "--quiet", "-b", name, "main");
      await repository.write(name, `${name}\n`);
      await repository.commit();
    }
    await repository.git("checkout", "--quiet", "main");
    const requests = host.requests.length;
    await lose(mirrored, "broken:broken");
    expect(await run()).toMatchObject({
      failure: { code: "ref-refused" },
      steps: [{ refused: ["refs/heads/broken"] }],
    });
    expect(host.requests.length - requests).toBeLessThan(12);
    const clone = await mirrored.clone();
    for (const name of ["main", "a", "b"]) expect(clone).toContain(await repository.git("rev-parse", name));
    const packs = await Array.fromAsync(mirrored.objects.list("objects/pack/"));
    expect(packs).toHaveLength(2);
  });

  test("of all, is an error, and stores nothing", async () => {
    await using mirrored = await makeMirrored();
    const { repository, run, record } = mirrored;
    await lose(mirrored, "main:other");
    const before = await published(mirrored);
    const error = await run().catch((error) => error);
    expect(error).toMatchObject({ code: "ref-refused", message: expect.stringContaining("refs/heads/main") });
    expect(await published(mirrored)).toEqual(before);
    expect(await record(2)).toMatchObject({ state: "claimed", claimed: "1970-01-01T00:00:00.000Z" });
    await repository.gitBytes(["hash-object", "-w", "--stdin"], "three\n");
    expect(await mirrored.step()).toMatchObject({ steps: [{ number: 2 }] });
  });
});
