import { expect, test } from "bun:test";
import { Readable } from "node:stream";
import { collectStderr } from "../../../image/git/stderr.ts";

async function collect(...chunks: string[]) {
  const lines: string[] = [];
  const kept = await collectStderr(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), (line) =>
    lines.push(line),
  )();
  return { kept, lines };
}

test("lines are reported one by one, and kept", async () => {
  expect(await collect("one\nt", "wo\n", "three")).toEqual({
    kept: "one\ntwo\nthree",
    lines: ["one", "two"],
  });
});

test("progress is reported and not kept", async () => {
  const { kept, lines } = await collect("10%\r20%\rdone\n");
  expect([kept, lines]).toEqual(["done", ["10%", "20%", "done"]]);
});

test("control characters are removed", async () => {
  expect((await collect("a\u001b[31mb\u009bc\n")).kept).toBe("a[31mbc");
});

test("only the last 16 KiB are kept, however long a line is", async () => {
  const { kept } = await collect(`first\n${"x".repeat(100_000)}\n`, "y".repeat(100_000));
  expect(kept.length).toBeLessThanOrEqual(2 * 16_384);
  expect(kept).not.toContain("first");
});
