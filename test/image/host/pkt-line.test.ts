import { expect, test } from "bun:test";
import { pktLine, readPktLines } from "../../../image/host/pkt-line.ts";

/** A reader of these bytes, that come in chunks of this size. */
function reading(text: string, size = 65_536) {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  return readPktLines(chunks());
}

test.each([1, 2, 3, 5, 7, 1_000])(
  "lines and packets are read whole from chunks of %d bytes",
  async (size) => {
    const reader = reading(`fallback\n\n${pktLine("é\n")}0001${pktLine("")}00000002`, size);
    expect([await reader.line(), await reader.line()]).toEqual(["fallback", ""]);
    expect((await reader.packet())?.toString()).toBe("é\n");
    expect(await reader.packet()).toBe(1);
    expect((await reader.packet())?.toString()).toBe("");
    expect([await reader.packet(), await reader.packet()]).toEqual([0, 2]);
  },
);

test("a pkt-line's length is counted in bytes", () => {
  expect(pktLine("é\n")).toBe("0007é\n");
});

test.each([
  ["ends before the packet does", "0009abc"],
  ["ends in the packet's length", "00"],
  ["is a web page", "<!DOCTYPE html>"],
  ["has a length that there is not", "0003"],
])("an answer that %s has no pkt-line", async (_, text) => {
  expect(await reading(text).packet()).toBeUndefined();
});

test("neither has an answer without an end of line a line", async () => {
  expect(await reading("fallback").line()).toBeUndefined();
});

test("what the stream breaks with is handed on", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("00");
    throw new Error("broken");
  }
  await expect(readPktLines(broken()).packet()).rejects.toThrow("broken");
});
