import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tarHeader } from "../../../image/transfer/tar.ts";
import { joined, type Part, partsOf } from "../../fixtures/delta.ts";

const parts: Part[] = [
  { name: "manifest.json", content: Buffer.from("{}\n") },
  { name: "empty", content: Buffer.alloc(0) },
  { name: `folder/${"n".repeat(93)}`, content: Buffer.alloc(512, "x") },
  { name: "last", content: Buffer.alloc(70_000, "y") },
];
const tar = (args: readonly string[], input?: Buffer) => {
  const { status, stdout, stderr } = spawnSync("tar", args, { input });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
};

test("what is written is read again, in chunks of any size, and by GNU tar", async () => {
  const archive = joined(parts);
  for (const bytes of [1, 511, 512, 1_000, archive.length])
    expect(await partsOf(archive, bytes)).toEqual(parts);
  const folder = await mkdtemp(join(tmpdir(), "tar-"));
  expect(tar(["xf", "-", "-C", folder], archive)).toEqual({ status: 0, stdout: "", stderr: "" });
  for (const { name, content } of parts)
    expect(content.equals(await readFile(join(folder, name)))).toBe(true);
  await rm(folder, { recursive: true });
});

test("a file of more than 8 GiB has a header that GNU tar reads", () => {
  for (const bytes of [8 ** 11 - 1, 8 ** 11, 3 * 2 ** 40]) {
    expect(tar(["tvf", "-"], tarHeader("large", bytes)).stdout).toMatch(new RegExp(` ${bytes} .* large\n$`));
  }
});

test("a changed byte anywhere but in the content, and a cut anywhere, are refused", async () => {
  const archive = joined(parts.slice(0, 3));
  const content = new Set<number>();
  for (const [start, length] of [
    [512, 3],
    [2_048, 512],
  ] as const)
    for (let at = start; at < start + length; at++) content.add(at);
  for (let at = 0; at < archive.length; at++) {
    if (content.has(at)) continue;
    const changed = Buffer.from(archive);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    expect(await codeOf(changed), `byte ${at}`).toMatch(/^delta-(altered|cut)$/);
  }
  for (let length = 0; length < archive.length - 1; length += 7)
    expect(await codeOf(archive.subarray(0, length)), `${length} bytes`).toBe("delta-cut");
});

test("zeros may follow the end, as programs write them, and nothing else", async () => {
  const archive = joined(parts);
  const zeros = Buffer.alloc(10_240);
  expect(await partsOf(Buffer.concat([archive, zeros]))).toEqual(parts);
  for (const more of [Buffer.from("x"), archive, Buffer.concat([zeros, Buffer.from("x")])])
    expect(await codeOf(Buffer.concat([archive, more]))).toBe("delta-altered");
});

test("links, folders and extensions of tar's formats are refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tar-"));
  await symlink("/etc/passwd", join(folder, "link"));
  await writeFile(join(folder, "long".repeat(40)), "");
  for (const args of [["link"], ["."], ["long".repeat(40)], ["--format=pax", "--pax-option=a:=b", "."]]) {
    const { stdout } = spawnSync("tar", ["cf", "-", "-C", folder, ...args]);
    expect(stdout.length).toBeGreaterThan(512);
    expect(await codeOf(stdout)).toBe("delta-altered");
  }
  await rm(folder, { recursive: true });
});

async function codeOf(archive: Buffer): Promise<string> {
  try {
    await partsOf(archive);
    return "none";
  } catch (error) {
    return (error as { code: string }).code;
  }
}
