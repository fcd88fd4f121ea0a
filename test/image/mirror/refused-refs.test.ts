import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makeMirrored, published } from "../../fixtures/dishonest-host.ts";
import { type MirroredRepository, makeMirroredRepository } from "../../fixtures/mirrored-repository.ts";

setDefaultTimeout(60_000);

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
