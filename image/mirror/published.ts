import { StoreError } from "../lib/errors.ts";
import { emptyTree, objectIdPattern } from "../lib/object-id.ts";
import { settleAll } from "../lib/settle.ts";
import type { ObjectStore, VersionedText } from "../stores/stores.ts";
import type { CompleteMirrorStep } from "./record.ts";
import { applyChanges, headFile, infoRefsFile, noState, parseState, type State, stateId } from "./state.ts";

export const packsName = "objects/info/packs";
export const headName = "HEAD";
export const infoRefsName = "info/refs";
export const cursorName = "cursor";

/** The file of the dumb HTTP protocol: https://git-scm.com/docs/gitrepository-layout */
export const packsFile = (packs: readonly string[]): string =>
  `${packs.map((name) => `P ${name}.pack\n`).join("")}\n`;

/** Up to where a mirror is published: the id of its state, and the number of the step that led there. */
export interface MirrorCursor {
  readonly state: string;
  readonly number: number;
  readonly etag: string | undefined;
}

/** Before the first step. */
const start: MirrorCursor = { state: emptyTree, number: 0, etag: undefined };

/** Reads a mirror's cursor. @throws StoreError where it is none */
export async function readMirrorCursor(objects: ObjectStore): Promise<MirrorCursor> {
  const stored = await objects.get(cursorName);
  if (stored === undefined) return start;
  const [, state = "", number = ""] = /^([0-9a-f]{40}) (\d{1,10})\n$/.exec(stored.text) ?? [];
  if (!objectIdPattern.test(state)) throw damaged(objects.address(cursorName), "is no mirror's cursor");
  return { state, number: Number(number), etag: stored.etag };
}

/** The files that plain git reads, each as it was read, and the cursor that was read after them. */
export interface Published {
  readonly packs: VersionedText | undefined;
  readonly head: VersionedText | undefined;
  readonly infoRefs: VersionedText | undefined;
  readonly cursor: MirrorCursor;
}

/**
 * Reads what is published. The cursor comes last: so the files are not newer than the step after it, and whoever
 * replaces them on condition of what was read undoes no later step.
 */
export async function readPublished(objects: ObjectStore): Promise<Published> {
  const [packs, head, infoRefs] = await settleAll(
    objects.get(packsName),
    objects.get(headName),
    objects.get(infoRefsName),
  );
  return { packs, head, infoRefs, cursor: await readMirrorCursor(objects) };
}

/** The names of the published packs, newest first. */
export const listedPacks = ({ packs }: Pick<Published, "packs">): string[] =>
  [...(packs?.text ?? "").matchAll(/^P (pack-[0-9a-f]{40})\.pack$/gm)].map(([, name = ""]) => name);

/** Returns the state that is published, which the cursor names. @throws StoreError where the files are others */
export function publishedState(objects: ObjectStore, published: Published): State {
  const { cursor, head, infoRefs } = published;
  if (cursor.number === 0) return noState;
  const state = parseState(head?.text ?? "", infoRefs?.text ?? "");
  if (state === undefined || stateId(state) !== cursor.state) {
    const place = `${objects.address(headName)} and ${infoRefsName}`;
    throw damaged(place, `do not have the state ${cursor.state} of step ${cursor.number}`);
  }
  return state;
}

/**
 * Publishes a complete step, in an order in which a reader always finds what it reads of: packs, HEAD, refs, cursor.
 * @returns false where another run has published something meanwhile
 * @throws StoreError
 */
export async function publish(
  objects: ObjectStore,
  record: CompleteMirrorStep,
  published: Published,
): Promise<boolean> {
  if (published.cursor.number !== record.number - 1) return false;
  // A run may have been killed between the two files: the changes apply to the old list and to the new one.
  const before = parseState("\n", published.infoRefs?.text ?? "") ?? noState;
  const state = applyChanges(before, record.head, record.refs);
  const ids = new Map(before.refs.map(({ name, id }) => [name, id]));
  const isAt = (side: 1 | 2) => record.refs.every((change) => (ids.get(change[0]) ?? null) === change[side]);
  // Refs of a later step would lead there too, where that step changed the same ones again.
  if (stateId(state) !== record.to || !(isAt(1) || isAt(2))) {
    throw damaged(
      objects.address(infoRefsName),
      `does not lead to the state ${record.to} of step ${record.number}`,
    );
  }
  const files = [
    [packsName, packsFile(record.packs), published.packs],
    [headName, headFile(state), published.head],
    [infoRefsName, infoRefsFile(state), published.infoRefs],
    [cursorName, `${record.to} ${record.number}\n`, { etag: published.cursor.etag, text: "" }],
  ] as const;
  for (const [name, text, old] of files) {
    if (old?.text === text) continue;
    const details = { contentType: "text/plain", metadata: {} };
    if ((await objects.putIf(name, text, old?.etag, details)) === undefined) return false;
  }
  return true;
}

const damaged = (what: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${what} ${problem}.`,
    "Nothing was published. Restore it from the bucket's versions; verify shows more.",
  );
