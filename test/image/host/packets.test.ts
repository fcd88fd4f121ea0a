import { expect, test } from "bun:test";
import { packet, readPackets } from "../../../image/host/packets.ts";

const unlimited = { bytes: Number.POSITIVE_INFINITY, packets: Number.POSITIVE_INFINITY };

/** Reads these bytes, which come in chunks of this size. */
function read(text: string, { size = 65_536, limits = unlimited } = {}) {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  return readPackets(chunks(), limits);
}

test.each([1, 2, 3, 5, 7, 1_000])("packets are read whole from chunks of %d bytes", async (size) => {
  const reader = read(`${packet("é\n")}0001${packet("")}00000002`, { size });
  expect((await reader.next()).toString()).toBe("é\n");
  expect(await reader.next()).toBe(1);
  expect((await reader.next()).toString()).toBe("");
  expect([await reader.next(), await reader.next()]).toEqual([0, 2]);
  await reader.end();
});

test("the length of a packet counts bytes", () => {
  expect(packet("é\n")).toBe("0007é\n");
});

test.each([
  ["that ends within a packet", "0009abc", "git-cut-off"],
  ["that ends within a length", "00", "git-cut-off"],
  ["that is empty", "", "git-cut-off"],
  ["that is a web page", "<!DOCTYPE html>", "git-not-found"],
  ["with an impossible length", "0003", "git-not-found"],
  ["with an error", packet("ERR no"), "git-refused"],
])("an answer %s is an error", async (_, text, code) => {
  expect(
    await read(text)
      .next()
      .catch((error) => error),
  ).toMatchObject({ code });
});

test("an answer that continues after its end is an error", async () => {
  const reader = read(`0000${packet("more")}`);
  expect(await reader.next()).toBe(0);
  expect(await reader.end().catch((error) => error)).toMatchObject({ code: "git-not-found" });
});

test.each([
  ["bytes", { bytes: 10, packets: 100 }],
  ["packets", { bytes: 1_000, packets: 2 }],
])("an answer with too many %s is stopped, but a pack is not", async (_, limits) => {
  const text = packet("123456").repeat(3);
  const lines = Array.fromAsync(read(text, { limits }).linesUntil(0));
  expect(await lines.catch((error) => error)).toMatchObject({ code: "answer-too-large" });
  const reader = read(text, { limits });
  reader.beginPack();
  for (let each = 0; each < 3; each++) await reader.next();
  await reader.end();
});

test("an error of the stream is passed on", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("00");
    throw new Error("broken");
  }
  await expect(readPackets(broken(), unlimited).next()).rejects.toThrow("broken");
});
