import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { expectRefused, line, makeMirrored } from "../../fixtures/dishonest-host.ts";
import { git } from "../../fixtures/git.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";
import { formatPackets, packet } from "../../fixtures/packets.ts";
import { makeRepository } from "../../fixtures/repository.ts";

setDefaultTimeout(60_000);

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
