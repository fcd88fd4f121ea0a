import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deltaOf, importInto, joined, type Part, partsOf } from "../../fixtures/delta.ts";
import { git } from "../../fixtures/git.ts";
import { chainNames, makeTwoChains, objectsIn, type TwoChains } from "../../fixtures/two-chains.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);
/** Four steps of two chains. Another repository has the same history but for its third step. */
let chains: TwoChains;
let others: TwoChains;
beforeAll(async () => {
  [chains, others] = await Promise.all([makeTwoChains(4), makeTwoChains(3)]);
});
afterAll(async () => {
  await Promise.all([chains[Symbol.asyncDispose](), others[Symbol.asyncDispose]()]);
});

const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");
const recordName = (number: number) => `_steps/${String(number).padStart(10, "0")}.json`;
const manifestOf = ([first]: readonly Part[]) => JSON.parse(String(first?.content));

describe.each(chainNames)("a delta of %s", (chain) => {
  /** The whole chain, and its third and fourth step. */
  let whole: Buffer;
  let delta: Buffer;
  /** A place with the first two steps, and what is there. */
  let place: string;
  let before: Map<string, Buffer>;

  beforeAll(async () => {
    whole = await deltaOf(chains.places[chain]);
    delta = await deltaOf(chains.places[chain], 2);
  });
  beforeEach(makePlace);
  async function makePlace() {
    place = join(await mkdtemp(join(chains.root, "place-")), "api.git");
    await importInto(place, await upTo(2));
    before = await objectsIn(place);
  }

  /** Returns a delta of the first steps. */
  async function upTo(step: number): Promise<Buffer> {
    const copy = await mkdtemp(join(chains.root, "copy-"));
    await cp(chains.places[chain], copy, { recursive: true });
    for (let number = step + 1; number <= 4; number++) await rm(join(copy, recordName(number)));
    return deltaOf(copy);
  }

  /** Returns the delta with other parts, whose manifest says what `announce` makes of it. */
  async function changed(
    // biome-ignore lint/suspicious/noExplicitAny: the tests know what a manifest contains
    change: (parts: Part[], manifest: any) => unknown,
  ): Promise<Buffer> {
    const parts = await partsOf(delta);
    const manifest = manifestOf(parts);
    await change(parts, manifest);
    const content = Buffer.from(JSON.stringify(manifest));
    return joined(parts.map((part, index) => (index === 0 ? { ...part, content } : part)));
  }

  /** Expects a refusal that names `part`, and a place to which at most whole files were added that the chain has. */
  async function expectRefused(
    bad: Buffer,
    code: string | RegExp,
    part = "",
    added: "nothing" | "files" = "nothing",
  ) {
    await makePlace();
    const error = await importInto(place, bad).then(
      () => ({ code: "none", message: "" }),
      (error) => error,
    );
    expect(error.code).toMatch(typeof code === "string" ? new RegExp(`^${code}$`) : code);
    expect(error.message).toContain(part);
    expect(error.remedy).toMatch(/^(Nothing|No step)/);
    const after = await objectsIn(place);
    const right = await objectsIn(chains.places[chain]);
    for (const [name, content] of after) {
      if (added === "files" && !before.has(name)) {
        expect(name).not.toContain("_steps/");
        expect(content.equals(right.get(name) ?? Buffer.alloc(0)), name).toBe(true);
      } else expect(content.equals(before.get(name) ?? Buffer.alloc(0)), name).toBe(true);
    }
    // What was refused spoils nothing: the right delta is imported.
    await importInto(place, delta);
    expect(await objectsIn(place)).toEqual(right);
  }

  test("is taken where its steps are there already, in part, in full, or with later ones", async () => {
    const right = await objectsIn(chains.places[chain]);
    for (const next of [await upTo(2), await upTo(3), delta, await upTo(3), whole, delta]) {
      await importInto(place, next, 100_000);
    }
    expect(await objectsIn(place)).toEqual(right);
    const empty = await deltaOf(chains.places[chain], 4);
    expect(await importInto(place, empty)).toMatchObject({ steps: 0, files: 0, to: null });
    expect(await objectsIn(place)).toEqual(right);
  });

  test("that lost a file on its way to the place puts it back", async () => {
    await importInto(place, whole);
    const [name = ""] = [...before.keys()].filter((name) => /\.(diff|pack)$/.test(name));
    await rm(join(place, name));
    await importInto(place, whole);
    expect(await objectsIn(place)).toEqual(await objectsIn(chains.places[chain]));
  });

  test("with a changed byte anywhere", async () => {
    const codes = /^delta-(altered|cut|invalid|missing|foreign|chain|base-other|base-missing)$/;
    for (let at = 0; at < delta.length; at += 331) {
      const bad = Buffer.from(delta);
      bad[at] = (bad[at] ?? 0) ^ 0x01;
      const error = await importInto(place, bad).catch((error) => error);
      expect(error.code, `byte ${at}`).toMatch(codes);
    }
    expect((await objectsIn(place)).has(recordName(3))).toBe(false);
    await importInto(place, delta);
    expect(await objectsIn(place)).toEqual(await objectsIn(chains.places[chain]));
  });

  test("that is cut anywhere", async () => {
    for (let length = 0; length < delta.length - 1; length += 409)
      expect((await importInto(place, delta.subarray(0, length)).catch((error) => error)).code).toBe(
        "delta-cut",
      );
    await expectRefused(delta.subarray(0, -1), "delta-cut", "", "files");
  });

  test("with a missing part", async () => {
    const parts = await partsOf(delta);
    for (const [index, { name }] of parts.entries()) {
      const bad = joined(parts.toSpliced(index, 1));
      if (index === 0) await expectRefused(bad, "delta-invalid", "manifest.json");
      else await expectRefused(bad, "delta-missing", `${name} is missing`, "files");
    }
  });

  test("with parts in another order, twice, or in the manifest's", async () => {
    const parts = await partsOf(delta);
    for (let index = 1; index + 1 < parts.length; index++) {
      const [one, two] = parts.slice(index, index + 2) as [Part, Part];
      const bad = joined(parts.toSpliced(index, 2, two, one));
      const error = await importInto(place, bad).catch((error) => error);
      expect(error).toMatchObject({ code: "delta-missing", message: expect.stringContaining(one.name) });
    }
    await expectRefused(joined([...parts, ...parts.slice(-1)]), "delta-missing", "is there twice", "files");
  });

  test("whose manifest has its files in another order", async () => {
    const bad = await changed((parts, manifest) => {
      manifest.files.reverse();
      parts.splice(1, parts.length, ...parts.slice(1).reverse());
    });
    await expectRefused(bad, "delta-invalid", "order");
    const swapped = await changed((parts, manifest) => {
      for (const list of [parts, manifest.files]) list.push(...list.splice(-2).reverse());
    });
    await expectRefused(swapped, "delta-invalid", "order");
  });

  test("with a foreign part", async () => {
    const parts = await partsOf(delta);
    const foreign = { name: "../../evil", content: Buffer.from("evil") };
    await expectRefused(joined([...parts, foreign]), "delta-foreign", "evil", "files");
    await expectRefused(joined(parts.toSpliced(1, 0, foreign)), "delta-foreign", "evil");
  });

  test.each([
    "../evil",
    "/etc/evil",
    "objects/pack/../../evil",
    "HEAD",
    "cursor",
    "info/refs",
    "config",
    "_steps/x.json",
    "_steps/0000000003.json\n",
  ])("whose manifest names %p", async (name) => {
    const content = Buffer.from("evil");
    const bad = await changed((parts, { files }) => {
      parts.push({ name, content });
      files.push({ name, bytes: content.length, sha256: sha256(content) });
    });
    await expectRefused(bad, "delta-invalid", JSON.stringify(name));
  });

  test("with a file that no record names, and its manifest does", async () => {
    const extra =
      chain === "mirror" ? `objects/pack/pack-${"a".repeat(40)}.idx` : "2026-01-02-0304_aaaaaaa-bbbbbbb.diff";
    const bad = await changed((parts, { files }) => {
      const content = Buffer.from("evil");
      parts.push({ name: extra, content });
      files.push({ name: extra, bytes: content.length, sha256: sha256(content) });
    });
    await expectRefused(bad, "delta-foreign", extra);
  });

  test("whose manifest was changed with a file, or leaves one out", async () => {
    let name = "";
    const other = await changed((parts, { files }) => {
      const last = parts.at(-1) as Part;
      name = last.name;
      last.content = Buffer.alloc(last.content.length, "evil");
      files.at(-1).sha256 = sha256(last.content);
    });
    await expectRefused(other, "delta-altered", name);
    const larger = await changed((parts, { files }) => {
      const last = parts.at(-1) as Part;
      last.content = Buffer.concat([last.content, last.content]);
      files.at(-1).bytes *= 2;
    });
    await expectRefused(larger, "delta-altered", name);
    const less = await changed((parts, { files }) => {
      parts.pop();
      files.pop();
    });
    await expectRefused(less, "delta-missing", name);
  });

  test.each([
    [/"state":"complete"/, '"state":"claimed"'],
    [/"from":"[0-9a-f]{4}/, '"from":"abcd'],
    [/"previous":"_steps\/0000000002/, '"previous":"_steps/0000000001'],
    [/"number":3/, '"number":4'],
    [/^\{/, "["],
    [/"repository":"/, "$&\xff"],
  ])("with a record in which %p is changed to %p, and its manifest too", async (from, to) => {
    const bad = await changed((parts, { files }) => {
      const record = parts[1] as Part;
      record.content = Buffer.from(String(record.content).replace(from, to), "latin1");
      Object.assign(files[0], { bytes: record.content.length, sha256: sha256(record.content) });
    });
    await expectRefused(bad, "delta-chain", recordName(3));
  });

  if (chain === "mirror")
    test("with a record that lists a pack of no step", async () => {
      const bad = await changed((parts, { files }) => {
        const record = parts[2] as Part;
        record.content = Buffer.from(
          String(record.content).replace(/("packs":\["pack-)[0-9a-f]{40}/, `$1${"a".repeat(40)}`),
        );
        Object.assign(files[1], { sha256: sha256(record.content) });
      });
      await expectRefused(bad, "delta-chain", `pack-${"a".repeat(40)}`);
    });

  test("whose base is not there, or another one", async () => {
    const empty = join(await mkdtemp(join(chains.root, "place-")), "api.git");
    const skipped = await importInto(empty, delta).catch((error) => error);
    expect(skipped).toMatchObject({
      code: "delta-base-missing",
      message: expect.stringContaining(recordName(2)),
    });
    expect(await objectsIn(empty)).toEqual(new Map());
    const later = await deltaOf(chains.places[chain], 3);
    await expectRefused(later, "delta-base-missing", recordName(3));
    const foreign = await deltaOf(others.places[chain], 2);
    await expectRefused(foreign, "delta-base-other", recordName(2));
  });

  test("of a chain that has other steps than the place, and of another kind of chain", async () => {
    await expectRefused(await deltaOf(others.places[chain]), "delta-conflict", recordName(1));
    const other = chain === "mirror" ? "diffs" : "mirror";
    await expectRefused(await deltaOf(chains.places[other]), "delta-conflict", recordName(1));
  });

  test("to a place with other bytes of a name, or a damaged chain", async () => {
    const { name } = (await partsOf(delta)).at(-1) as Part;
    await writeFile(join(place, name), "other");
    const taken = await importInto(place, delta).catch((error) => error);
    expect(taken).toMatchObject({ code: "delta-conflict", message: expect.stringContaining(name) });
    expect(await readFile(join(place, name), "utf8")).toBe("other");
    expect((await objectsIn(place)).has(recordName(3))).toBe(false);
    await rm(join(place, name));
    await writeFile(join(place, recordName(1)), "{}");
    const damaged = await importInto(place, delta).catch((error) => error);
    expect(damaged).toMatchObject({ code: "chain-damaged", message: expect.stringContaining(recordName(1)) });
  });

  test.if(chain === "mirror")("to a git repository that is no mirror's place", async () => {
    const taken = join(await mkdtemp(join(chains.root, "repository-")), "api.git");
    await git(["init", "--quiet", "--bare", "--initial-branch=develop", taken]);
    const before = await objectsIn(taken);
    const error = await importInto(taken, whole).catch((error) => error);
    expect(error).toMatchObject({ code: "delta-conflict", message: expect.stringContaining(taken) });
    expect(await objectsIn(taken)).toEqual(before);
  });

  test("of a newer version, and what is no delta", async () => {
    await expectRefused(
      await changed((_, manifest) => Object.assign(manifest, { version: 2 })),
      "delta-invalid",
      "version",
    );
    await expectRefused(Buffer.alloc(2_000, "no delta"), "delta-invalid");
    await expectRefused(Buffer.alloc(1_024), "delta-invalid", "manifest.json");
  });

  test("is not made of a damaged chain, nor of a step that is not there", async () => {
    const copy = await mkdtemp(join(chains.root, "copy-"));
    await cp(chains.places[chain], copy, { recursive: true });
    const { name } = (await partsOf(delta)).at(-1) as Part;
    const content = await readFile(join(copy, name));
    const output = join(chains.root, "damaged.tar");
    const run = async (...args: string[]) => {
      const ran = await runWorker({}, { args: ["local", ...args], cwd: chains.root });
      expect(ran).toMatchObject({ status: 1, stderr: "", left: [] });
      expect(await Bun.file(output).exists()).toBe(false);
      return ran.events[0];
    };
    const first = join(copy, recordName(1));
    const record = await readFile(first, "utf8");
    await writeFile(first, record.replace('"complete"', '"claimed"'));
    expect(await run("export", copy, "--output", output)).toMatchObject({
      code: "chain-damaged",
      message: expect.stringContaining("is not complete"),
    });
    await writeFile(first, record);
    for (const bad of [
      content.map((byte, index) => (index === 9 ? byte ^ 1 : byte)),
      content.subarray(1),
      Buffer.concat([content, content]),
    ]) {
      await writeFile(join(copy, name), bad);
      expect(await run("export", copy, "--output", output)).toMatchObject({
        event: "failed",
        code: "chain-damaged",
        message: expect.stringContaining(name),
      });
    }
    await rm(join(copy, name));
    expect(await run("export", copy, "--since", "1", "--output", output)).toMatchObject({
      code: "chain-damaged",
      message: expect.stringContaining("is missing"),
    });
    expect(await run("export", copy, "--since", "9", "--output", output)).toMatchObject({
      code: "step-missing",
    });
    await rm(join(copy, recordName(2)));
    expect(await run("export", copy, "--output", output)).toMatchObject({
      code: "chain-damaged",
      message: expect.stringContaining(recordName(3)),
    });
    expect(await run("export", chains.root, "--output", output)).toMatchObject({ code: "step-missing" });
  });
});
