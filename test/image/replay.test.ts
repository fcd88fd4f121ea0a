import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments } from "../../image/local.ts";
import { git } from "../helpers/git.ts";
import { asConfiguration, type Repository } from "../helpers/repository.ts";
import { runWorker } from "../helpers/worker.ts";
import { apply, changes } from "./changes.ts";
import { type Collection, openCollection, record } from "./collection.ts";
import { generate } from "./generated.ts";

setDefaultTimeout(120_000);

const noise = (seed: string, size = 5_000) =>
  Buffer.concat(
    Array.from({ length: size / 20 }, (_, each) => createHash("sha1").update(`${seed}${each}`).digest()),
  );

/** Every kind of change, then what else can become of files whose content is in no diff. */
const history: ((repository: Repository) => Promise<unknown>)[] = [
  async (repository) => {
    for (const { before, prepare } of Object.values(changes)) {
      await apply(repository, before);
      await prepare?.(repository);
    }
    await apply(repository, {
      "moved.bin": noise("moved"),
      "edited.bin": noise("edited"),
      "mode.bin": noise("mode"),
      "deleted.bin": noise("deleted"),
      "to-text.bin": noise("to-text"),
      "to-folder.bin": noise("to-folder"),
      "to-file/inner.bin": noise("to-file"),
      "to-link.bin": noise("to-link"),
      "to-empty.bin": noise("to-empty"),
      "shown.hidden": "never shown\n",
      "to-bin": "text\n",
    });
    await repository.submodule("sub/moved", "3".repeat(40));
    await repository.submodule("sub/deleted", "4".repeat(40));
    await repository.submodule("sub/to-file", "5".repeat(40));
    await repository.submodule("binary.hidden", "6".repeat(40));
  },
  async (repository) => {
    for (const { after, change } of Object.values(changes)) {
      await apply(repository, after);
      await change?.(repository);
    }
  },
  async (repository) => {
    const edited = noise("edited");
    edited[100] = 0;
    await apply(repository, {
      "moved.bin": null,
      'away/"moved" caf\xe9\n.bin': noise("moved"),
      "edited.bin": null,
      "edited elsewhere.bin": edited,
      "deleted.bin": null,
      "to-text.bin": "now a text\n",
      "to-folder.bin": null,
      "to-folder.bin/inner": "text below\n",
      "to-file/inner.bin": null,
      "to-file": noise("in its place"),
      "to-empty.bin": "",
      "to-bin": noise("to-bin"),
      "sub/to-file": "a file\n",
    });
    await repository.write("mode.bin", noise("mode"), { mode: 0o755 });
    await repository.symlink("to-link.bin", "target");
    await repository.remove("sub/moved");
    await repository.submodule("sub/moved elsewhere", "3".repeat(40));
    await repository.remove("sub/deleted");
    await repository.submodule("binary.hidden", "7".repeat(40));
  },
  async (repository) => {
    // What was never shown is edited in the open, and moved twice, the second time with another mode.
    await apply(repository, { ".gitattributes": "", "shown.hidden": "never shown\nbut this\n" });
    await apply(repository, { 'away/"moved" caf\xe9\n.bin': null, "again.bin": null });
    await repository.write("home.bin", noise("moved"), { mode: 0o755 });
    await apply(repository, { "to-text.bin": "now a text\nand a longer one\n", "to-link.bin": null });
  },
];

async function build(environment: Record<string, string>): Promise<Collection> {
  const collection = await openCollection();
  for (const change of history) {
    await change(collection.repository);
    await collection.repository.commit();
    expect(await collection.collect(environment)).toMatchObject({ status: 0, stderr: "" });
  }
  return collection;
}

let omitted: Collection;
let included: Collection;
beforeAll(async () => {
  [omitted, included] = await Promise.all([build({}), build({ BINARY: "include" })]);
});
afterAll(async () => {
  await omitted[Symbol.asyncDispose]();
  await included[Symbol.asyncDispose]();
});

/** Damages a diff and has its record agree, so that no hash tells. */
async function forge(collection: Collection, number: number, change: (text: string) => string) {
  const { diff } = JSON.parse(await collection.read(record(number)));
  const before = await collection.read(diff);
  const after = change(before);
  expect(after).not.toBe(before);
  await collection.write(diff, after);
  const sha256 = createHash("sha256").update(Buffer.from(after, "latin1")).digest("hex");
  await collection.amend(number, (known) => ({ ...known, bytes: after.length, sha256 }));
}

test("every kind of change leads to the right tree, and what is in no diff is named", async () => {
  const { status, events, stderr, left } = await omitted.verify("--replay");
  expect(events).toMatchObject([
    { code: "content-not-stored", level: "note" },
    { event: "verified", holds: true, steps: history.length, replayed: history.length },
    { event: "summary" },
  ]);
  // Of some others the content is in a diff after all, as that of another file.
  const named = [
    "binary",
    "edited elsewhere.bin",
    "gone/file",
    "home.bin",
    "mode.bin",
    'odd "\\012\\377/.gitattributes',
    "shown.hidden",
    "to-bin",
    "to-file",
    "to-text.bin",
  ];
  expect(events[0]?.paths).toEqual(named);
  expect({ status, stderr, left }).toEqual({ status: 0, stderr: "", left: [] });
});

test("with BINARY=include the diffs are everything", async () => {
  const { status, events } = await included.verify("--replay");
  expect(events).toMatchObject([
    { event: "verified", holds: true, notes: 0, replayed: history.length },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
  // By another way: git itself applies them, and every byte of every file is there.
  const folder = await mkdtemp(join(tmpdir(), "applied-"));
  try {
    await git(["init", "--quiet", "--template=", folder]);
    for (const name of await included.diffs()) {
      const env = asConfiguration({ "core.whitespace": "" });
      await git(["apply", "--cached", join(await included.place(), name)], { cwd: folder, env });
    }
    const tree = (await git(["write-tree"], { cwd: folder })).toString().trim();
    expect(tree).toBe(await included.repository.git("rev-parse", "HEAD^{tree}"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.each([1, 2, 3])("step %d counts alike with binary content and without", async (number) => {
  const [without, whole] = await Promise.all(
    [omitted, included].map(async (collection) => JSON.parse(await collection.read(record(number)))),
  );
  expect([without.binary, whole.binary]).toEqual([false, true]);
  const { files, binaryFiles, linesAdded, linesRemoved } = without;
  expect(whole).toMatchObject({ files, binaryFiles, linesAdded, linesRemoved });
  const text = await included.read(whole.diff);
  expect(text).toContain("\nGIT binary patch\n");
  expect(text).not.toContain("\nBinary files ");
});

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
  const { diff } = JSON.parse(await forged.read(record(number)));
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

test("a damaged diff is told once, and the replay goes on where it can", async () => {
  await using damaged = await omitted.copy();
  const { diff } = JSON.parse(await damaged.read(record(2)));
  await damaged.remove(diff);
  const { events } = await damaged.verify("--replay");
  expect(events).toMatchObject([
    { code: "diff-missing", object: diff },
    { code: "not-replayed", level: "note", message: expect.stringContaining(`${record(2)} to ${record(4)}`) },
    { event: "verified", replayed: 1 },
    { event: "summary" },
  ]);
});

test("set back by hand, the replay goes back too, and knows what has no content there", async () => {
  await using back = await omitted.copy();
  const { repository } = omitted;
  const [second = ""] = (await repository.git("rev-list", "--reverse", "HEAD")).split("\n").slice(1);
  await back.write("cursor", second);
  expect(await back.collect({ SCHEDULED_TIME: "2026-02-01T00:00:00Z" })).toMatchObject({ status: 0 });
  const { status, events } = await back.verify("--replay");
  expect(events.map(({ event, code }) => code ?? event)).toEqual([
    "cursor-was-set",
    "content-not-stored",
    "verified",
    "summary",
  ]);
  const whole = await omitted.verify("--replay");
  expect(events[1]?.paths).toEqual(whole.events[0]?.paths);
  expect(events[2]?.replayed).toBe(events[2]?.steps);
  expect(status).toBe(0);
});

test("rewritten history, the old commit still there and then gone, is replayed from the new baseline", async () => {
  await using rewritten = await openCollection();
  const { repository } = rewritten;
  const collected = async (content: string) => {
    await repository.write("file", content);
    await repository.commit();
    const { status, events } = await rewritten.collect();
    expect(status).toBe(0);
    return events[0]?.kind;
  };
  expect(await collected("one\n")).toBe("baseline");
  expect(await collected("two\n")).toBe("change");
  await repository.git("reset", "--quiet", "--hard", "HEAD~");
  expect(await collected("another\n")).toBe("rewritten");
  await repository.git("update-ref", "-d", "HEAD");
  await repository.git("reflog", "expire", "--expire=now", "--all");
  await repository.git("gc", "--quiet", "--prune=now");
  expect(await collected("anew\n")).toBe("restarted");
  expect(await collected("and on\n")).toBe("change");
  const { status, events } = await rewritten.verify("--replay");
  expect(events).toMatchObject([
    { event: "verified", holds: true, notes: 0, steps: 5, replayed: 5 },
    { event: "summary" },
  ]);
  expect(status).toBe(0);
});

test("hundreds of small steps are replayed within seconds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "many-"));
  try {
    const repository = join(folder, "many.git");
    await mkdir(repository);
    const [{ place = "" } = {}] = readArguments([repository], {}, folder);
    await generate(repository, place, 500);
    const args = ["local", "verify", "--replay", repository];
    const { events, seconds } = await runWorker({}, { cwd: folder, args });
    expect(events[0]).toMatchObject({ event: "verified", holds: true, replayed: 500 });
    expect(seconds).toBeLessThan(30);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
