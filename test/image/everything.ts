import { expect } from "bun:test";
import { createHash } from "node:crypto";
import type { Repository } from "../helpers/repository.ts";
import { apply, changes } from "./changes.ts";
import { type Collection, openCollection } from "./collection.ts";

const noise = (seed: string, size = 5_000) =>
  Buffer.concat(
    Array.from({ length: size / 20 }, (_, each) => createHash("sha1").update(`${seed}${each}`).digest()),
  );

/** Every kind of change, then what else can become of files whose content is in no diff. */
export const history: ((repository: Repository) => Promise<unknown>)[] = [
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

/** Collects all that, a step for each. */
export async function collectEverything(environment: Record<string, string>): Promise<Collection> {
  const collection = await openCollection();
  for (const change of history) {
    await change(collection.repository);
    await collection.repository.commit();
    expect(await collection.collect(environment)).toMatchObject({ status: 0, stderr: "" });
  }
  return collection;
}
