import { createHash } from "node:crypto";
import { treeEntries } from "../git/tree-entries.ts";
import { isFailure, LimitError, StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { findStep, type Moment } from "./find-step.ts";
import { openIndexes } from "./indexes.ts";
import { listedPacks, readPublished } from "./published.ts";
import { detachedHead } from "./refusals.ts";
import { noStep } from "./restore.ts";
import { parseState, type State, stateId } from "./state.ts";
import { largestObject, type StoredObject, storedObjects } from "./stored-objects.ts";

/** What to show: a file or a folder of what a branch, a tag, HEAD or the id of a commit leads to. */
export interface Shown {
  readonly ref: string;
  readonly path: string;
}

/**
 * Returns the bytes of a file, or the names in a folder, one a line. Reads the indexes of the packs, and of the packs a few
 * parts. Each object is checked against its id.
 * @throws StoreError, LimitError
 */
export async function show(objects: ObjectStore, { ref, path }: Shown, moment: Moment): Promise<Buffer> {
  const { state, packs } = await readRefs(objects, moment);
  const indexes = await openIndexes(objects, packs).all();
  const read = storedObjects(objects, indexes);
  const isThere = (id: string) => indexes.some(({ index }) => index.has(id));
  const open = async (id: string): Promise<StoredObject> => {
    const object = await read(id).catch((error) => {
      // What is read is no part of a pack.
      throw isFailure(error) ? error : damaged(objects, `object ${id} cannot be read: ${error.message}`);
    });
    if (object === undefined) {
      throw isThere(id) ? tooLarge(id, path) : damaged(objects, `object ${id} is in no pack of this step`);
    }
    if (idOf(object) !== id) throw damaged(objects, `what is stored as object ${id} is another one`);
    return object;
  };
  const start = resolve(state, ref);
  if (start === undefined || !isThere(start)) throw noRef(objects, state, ref);
  let object = await open(start);
  // A tag may lead to another tag.
  for (let next = nextOf(object); next !== undefined; next = nextOf(object)) object = await open(next);
  for (const name of path.split("/").filter((part) => part !== "")) {
    const entry = object.type === "tree" ? find(object.content, name) : undefined;
    if (entry === undefined) throw noPath(objects, ref, path, "is not there");
    if (entry.mode === submodule)
      throw noPath(objects, ref, path, "is a submodule, and in another repository");
    object = await open(entry.id);
  }
  return object.type === "tree" ? namesIn(object.content) : object.content;
}

const submodule = "160000";
const folder = "40000";

interface Refs {
  readonly state: State;
  readonly packs: readonly string[];
}

/** Returns the state of a moment, and its packs. Of the newest one, the published files have both. */
async function readRefs(objects: ObjectStore, moment: Moment): Promise<Refs> {
  if (moment.at === undefined && moment.step === undefined) {
    const published = await readPublished(objects);
    const state = parseState(published.head?.text ?? "", published.infoRefs?.text ?? "");
    // A run may be about to publish, or have been killed meanwhile.
    if (state && stateId(state) === published.cursor.state) return { state, packs: listedPacks(published) };
  }
  const found = await findStep(objects, moment);
  if (found === undefined) throw noStep(objects, moment);
  return { state: found.state, packs: found.record.packs };
}

/** Returns the id to which a name leads, in git's order: https://git-scm.com/docs/gitrevisions */
function resolve(state: State, name: string): string | undefined {
  if (/^[0-9a-f]{40}$/.test(name)) return name;
  const full = name === "HEAD" ? (detachedHead(state) ?? state.head.replace(/^ref: /, "")) : name;
  if (full === detachedHead(state)) return full;
  const ids = new Map(state.refs.map((ref) => [ref.name, ref.id]));
  const prefixes = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
  return prefixes.map((prefix) => ids.get(prefix + full)).find((id) => id !== undefined);
}

/** Returns where a tag leads, and the tree of a commit. */
function nextOf({ type, content }: StoredObject): string | undefined {
  const name = { tag: "object", commit: "tree" }[type as string];
  if (name === undefined) return undefined;
  return new RegExp(`^${name} ([0-9a-f]{40})\n`).exec(content.toString("latin1", 0, 100))?.[1];
}

function find(tree: Buffer, name: string) {
  const bytes = Buffer.from(name);
  for (const entry of treeEntries(tree)) if (entry.name.equals(bytes)) return entry;
  return undefined;
}

/** A folder's name ends with a slash, as git shows it. */
function namesIn(tree: Buffer): Buffer {
  const lines = [...treeEntries(tree)].map(({ name, mode }) => [
    name,
    Buffer.from(mode === folder ? "/\n" : "\n"),
  ]);
  return Buffer.concat(lines.flat());
}

const idOf = ({ type, content }: StoredObject): string =>
  createHash("sha1").update(`${type} ${content.length}\0`).update(content).digest("hex");

const refsShown = 5;

function noRef(objects: ObjectStore, { refs }: State, ref: string): StoreError {
  const some = refs.slice(0, refsShown).map(({ name }) => name);
  const more = refs.length > refsShown ? ` and ${refs.length - refsShown} more` : "";
  return new StoreError(
    "ref-missing",
    `${objects.address("")} has no branch, tag or commit ${ref} at this step.`,
    `Write HEAD, a branch, a tag, or all digits of a commit's id. There are ${some.join(", ")}${more}.`,
  );
}

const noPath = (objects: ObjectStore, ref: string, path: string, problem: string) =>
  new StoreError(
    "path-missing",
    `${path} ${problem} in ${ref} of ${objects.address("")}.`,
    "Show the folder above it, which lists the names in it.",
  );

const tooLarge = (id: string, path: string) =>
  new LimitError(
    "file-too-large",
    `${path}, or what leads there, is larger than ${largestObject} bytes (object ${id}).`,
    "Use restore, and git in the restored repository.",
  );

const damaged = (objects: ObjectStore, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${objects.address("")}: ${problem}.`,
    "Restore the pack from the bucket's versions; verify shows more.",
  );
