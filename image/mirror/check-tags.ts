import { type ObjectReader, openObjectReader } from "../git/objects.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import type { ObjectStore } from "../stores/stores.ts";
import type { Indexes } from "./indexes.ts";
import type { RefChange, State } from "./state.ts";
import { storedObjects } from "./stored-objects.ts";

/** Where the objects of a step are. */
interface StepObjects {
  /** Holds what the host sent; undefined where it sent nothing. */
  readonly scratch: ScratchRepository | undefined;
  readonly objects: ObjectStore;
  /** Those of the packs before the step. They are not read while no ref leads to what no ref led to before. */
  readonly indexes: Indexes;
}

/**
 * Checks what a host says about its new tags: that each one is an annotated tag or is none, and what it leads to. The mirror
 * repeats that to everybody who clones it. A new tag may lead to objects that came with any earlier step.
 * @throws GitError, StoreError
 */
export async function checkTags(
  before: State,
  changes: readonly RefChange[],
  { scratch, objects, indexes }: StepObjects,
): Promise<void> {
  const known = new Map(before.refs.map(({ id, peeled }) => [id, peeled]));
  const said = changes.flatMap(([name, , id, peeled]) =>
    id === null || known.get(id) === peeled ? [] : { name, id, peeled },
  );
  if (said.length === 0) return;
  await using reader = scratch && openObjectReader(scratch);
  const infos = (await reader?.info(said.map(({ id }) => id))) ?? [];
  const types = new Map(infos.map(({ id, type }) => [id, type]));
  let stored: ReturnType<typeof storedObjects> | undefined;
  const readStored = async (id: string) => {
    stored ??= storedObjects(objects, await indexes.all());
    return stored(id);
  };
  const readTag = async (id: string) =>
    (reader && (await readStart(reader, id))) ??
    (await readStored(id))?.content.toString("latin1", 0, startBytes);
  for (const { name, id, peeled } of said) {
    const type = types.get(id) ?? (await readStored(id))?.type;
    // The host did not send it, which is an error of its own.
    if (type === undefined) continue;
    if ((type === "tag") !== (peeled !== null)) throw untrue(name, `is a ${type}`);
    if (peeled === null) continue;
    const target = await peel(readTag, id);
    if (target !== peeled) throw untrue(name, `leads to ${target}`);
  }
}

/** Returns what a tag leads to in the end. */
async function peel(
  readTag: (id: string) => Promise<string | undefined>,
  tag: string,
): Promise<string | undefined> {
  for (let id = tag; ; ) {
    const [, target, type] = /^object ([0-9a-f]{40})\ntype (\w+)\n/.exec((await readTag(id)) ?? "") ?? [];
    if (target === undefined || type !== "tag") return target;
    id = target;
  }
}

const startBytes = 100;

/** Returns an object's first bytes, which name a tag's target: it may be large. Undefined where it is not here. */
async function readStart(reader: ObjectReader, id: string): Promise<string | undefined> {
  let start: string | undefined;
  for await (const { content } of reader.contents([id])) {
    start = "";
    for await (const chunk of content) if (start.length < startBytes) start += chunk.toString("latin1");
  }
  return start;
}

const untrue = (name: string, truth: string) =>
  new GitError(
    "ref-invalid",
    `The host lists ${printable(name)} as something else than what it sent: it ${truth}.`,
    "Nothing was mirrored in this run. Have the host's repository repaired.",
  );
