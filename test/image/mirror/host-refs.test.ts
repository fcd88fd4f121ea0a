import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectRefused, line, makeMirrored, published } from "../../fixtures/dishonest-host.ts";
import { makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { formatPackets, type Packet, packet, parsePackets } from "../../fixtures/packets.ts";

setDefaultTimeout(60_000);

/** What a host makes of the packets of a list of refs. */
type Change = (packets: Packet[]) => Packet[];
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
