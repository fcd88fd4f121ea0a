import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { recordName } from "../../../image/chain/record.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { collectEveryChange } from "../../fixtures/every-change.ts";

setDefaultTimeout(120_000);

let omitted: CollectedRepository;
let included: CollectedRepository;
beforeAll(async () => {
  [omitted, included] = await Promise.all([collectEveryChange(), collectEveryChange({ BINARY: "include" })]);
});
afterAll(async () => {
  await omitted[Symbol.asyncDispose]();
  await included[Symbol.asyncDispose]();
});

/** Damages a diff and adapts its record, so that the hash is right. */
async function forge(collection: CollectedRepository, number: number, change: (text: string) => string) {
  const { diff } = JSON.parse(await collection.read(recordName(number)));
  const before = await collection.read(diff);
  const after = change(before);
  expect(after).not.toBe(before);
  await collection.write(diff, after);
  const sha256 = createHash("sha256").update(Buffer.from(after, "latin1")).digest("hex");
  await collection.amend(number, (known) => ({ ...known, bytes: after.length, sha256 }));
}

const forgeries: [name: string, number: number, change: (text: string) => string, code: string][] = [
  ["a line", 2, (text) => text.replace("\n+new\n", "\n+now\n"), "replay-differs"],
  [
    "a line that the next step builds on",
    1,
    (text) => text.replace("\n+old\n", "\n+odd\n"),
    "replay-differs",
  ],
  [
    "a line around a change",
    2,
    (text) => text.replace("\n renamed 19\n", "\n renamed 20\n"),
    "replay-failed",
  ],
  [
    "the id of a file without content",
    3,
    (text) => text.replace(/(?<=\.\.)[0-9a-f]{8}/, "01234567"),
    "replay-differs",
  ],
  [
    "the mode of a file",
    2,
    (text) => text.replace("new file mode 100644", "new file mode 100755"),
    "replay-differs",
  ],
  [
    "the name of a file",
    3,
    (text) => text.replaceAll("edited elsewhere.bin", "edited anywhere.bin"),
    "replay-differs",
  ],
];
test.each(forgeries)("%s changed, and the record with it, is found", async (_, number, change, code) => {
  await using forged = await omitted.copy();
  await forge(forged, number, change);
  expect((await forged.verify()).status).toBe(0);
  const { status, events } = await forged.verify("--replay");
  const problems = events.filter(({ level }) => level === "problem");
  const { diff } = JSON.parse(await forged.read(recordName(number)));
  expect(problems).toMatchObject([{ code, object: diff }]);
  expect(events.find((event) => event.event === "verified")?.replayed).toBe(number - 1);
  expect(status).toBe(1);
});

test("binary content changed, and the record with it, is found", async () => {
  await using forged = await included.copy();
  await forge(forged, 3, (text) =>
    text.replace(/\nliteral 5000\n(.)(.)/, (_, a, b) => `\nliteral 5000\n${a}${b === "x" ? "y" : "x"}`),
  );
  const { events } = await forged.verify("--replay");
  expect(events.find(({ level }) => level === "problem")?.code).toBe("replay-failed");
});
