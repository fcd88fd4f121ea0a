import { type ObjectReader, openObjectReader } from "../git/objects.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import type { RefChange } from "./state.ts";

/**
 * Checks what a host says about its new tags: that each one is an annotated tag or is none, and what it leads to. The mirror
 * repeats that to everybody who clones it. Tags that came with an earlier step are not read again.
 * @param scratch holds what the host sent
 * @throws GitError
 */
export async function checkTags(scratch: ScratchRepository, changes: readonly RefChange[]): Promise<void> {
  const said = changes.flatMap(([name, , id, peeled]) => (id === null ? [] : { name, id, peeled }));
  await using reader = openObjectReader(scratch);
  const types = new Map((await reader.info(said.map(({ id }) => id))).map(({ id, type }) => [id, type]));
  for (const { name, id, peeled } of said) {
    const type = types.get(id);
    if (type === undefined) continue;
    if ((type === "tag") !== (peeled !== null)) throw untrue(name, `is a ${type}`);
    if (peeled === null) continue;
    const target = await peel(reader, id);
    if (target !== undefined && target !== peeled) throw untrue(name, `leads to ${target}`);
  }
}

/** Returns what a tag leads to in the end. Undefined where that is a tag that came with an earlier step. */
async function peel(reader: ObjectReader, tag: string): Promise<string | undefined> {
  for (let id = tag; ; ) {
    const start = await readStart(reader, id);
    const [, target, type] = /^object ([0-9a-f]{40})\ntype (\w+)\n/.exec(start ?? "") ?? [];
    if (target === undefined || type !== "tag") return target;
    id = target;
  }
}

/** Returns an object's first bytes, which name a tag's target: it may be large. Undefined where it is not here. */
async function readStart(reader: ObjectReader, id: string): Promise<string | undefined> {
  let start: string | undefined;
  for await (const { content } of reader.contents([id])) {
    start = "";
    for await (const chunk of content) if (start.length < 100) start += chunk.toString("latin1");
  }
  return start;
}

const untrue = (name: string, truth: string) =>
  new GitError(
    "ref-invalid",
    `The host lists ${printable(name)} as something else than what it sent: it ${truth}.`,
    "Nothing was mirrored in this run. Have the host's repository repaired.",
  );
