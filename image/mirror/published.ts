import { StoreError } from "../lib/errors.ts";
import { emptyTree, objectIdPattern } from "../lib/object-id.ts";
import { settleAll } from "../lib/settle.ts";
import type { ObjectStore, VersionedText } from "../stores/stores.ts";
import { findStep } from "./find-step.ts";
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
  /** Whether the step's record names large files that are missing. So a run that finds nothing new need not read it. */
  readonly lacksFiles: boolean;
  /** The id of the state without archived refs, which is the host's; undefined where it has none. */
  readonly live: string | undefined;
  readonly etag: string | undefined;
}

/** Before the first step. */
const start: MirrorCursor = {
  state: emptyTree,
  number: 0,
  lacksFiles: false,
  live: undefined,
  etag: undefined,
};

/** Reads a mirror's cursor. @throws StoreError where it is none */
export async function readMirrorCursor(objects: ObjectStore): Promise<MirrorCursor> {
  const stored = await objects.get(cursorName);
  if (stored === undefined) return start;
  const [, state = "", number = "", lacks, live] =
    /^([0-9a-f]{40}) (\d{1,10})( lfs-missing)?(?: live ([0-9a-f]{40}))?\n$/.exec(stored.text) ?? [];
  if (!objectIdPattern.test(state)) throw damaged(objects.address(cursorName), "is no mirror's cursor");
  return { state, number: Number(number), lacksFiles: lacks !== undefined, live, etag: stored.etag };
}

/** Returns the cursor's content after a step. */
export const cursorText = ({
  to,
  number,
  lfsMissing,
  live,
}: Pick<CompleteMirrorStep, "to" | "number" | "lfsMissing" | "live">) =>
  `${to} ${number}${lfsMissing ? " lfs-missing" : ""}${live ? ` live ${live}` : ""}\n`;

/** The files that plain git reads, each as it was read, and the cursor that was read after them. */
export interface Published {
  readonly packs: VersionedText | undefined;
  readonly head: VersionedText | undefined;
  readonly infoRefs: VersionedText | undefined;
  readonly cursor: MirrorCursor;
}

/**
 * Reads what is published. The cursor comes last: so the files are not newer than the step after it, and a
 * replacement on condition of what was read undoes no later step.
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

/**
 * Returns the state that is published, which the cursor names. Undefined where the files were others, and were put right or
 * are about to change: read them again.
 * @throws StoreError where they are others, and the records do not lead to the cursor
 */
export async function publishedState(objects: ObjectStore, published: Published): Promise<State | undefined> {
  const { cursor, head, infoRefs } = published;
  if (cursor.number === 0 && infoRefs === undefined) return noState;
  const state = parseState(head?.text ?? "", infoRefs?.text ?? "");
  if (state !== undefined && stateId(state) === cursor.state) return state;
  // A run that was held up may have published an old step over newer ones: its conditions are hashes of contents, and the
  // refs may have come back to what they were. The records know the right state.
  const last = await findStep(objects, {});
  if (last && last.record.number > cursor.number) return undefined;
  if (cursor.number === 0)
    throw damaged(objects.address(cursorName), "is not there, but a mirror's refs are");
  if (last?.record.number !== cursor.number || last.record.to !== cursor.state) {
    const place = `${objects.address(headName)} and ${infoRefsName}`;
    throw damaged(place, `do not have the state ${cursor.state} of step ${cursor.number}`);
  }
  await write(objects, filesOf(last.record, last.state, published));
  return undefined;
}

/** Checks that what is published is what the cursor names, after another run has published at the same time. @throws StoreError */
export async function checkPublished(objects: ObjectStore): Promise<void> {
  await publishedState(objects, await readPublished(objects));
}

/**
 * Publishes a complete step, in an order in which a reader always finds what it reads of: packs, HEAD, refs, cursor. Each
 * file is replaced on condition that it is what was read. Lists of packs never come back to what they were, as each new
 * pack has an object that none had before. So no run can replace one by an older one, and what readers read of stays.
 * Refs may come back, so that a late run replaces them by older ones: readers find those in the newer packs too.
 * Where a cursor was put back, what is published may be further than the step. Then only the cursor moves.
 * @returns whether this run has moved the cursor
 * @throws StoreError
 */
export async function publish(
  objects: ObjectStore,
  record: CompleteMirrorStep,
  published: Published,
): Promise<boolean> {
  if (published.cursor.number !== record.number - 1) return false;
  const state = isFurther(published, record) ? undefined : await stateAfter(objects, record, published);
  const isMine = await write(objects, [
    ...(state ? filesOf(record, state, published) : []),
    [cursorName, cursorText(record), published.cursor.etag],
  ]);
  if (!isMine) await checkPublished(objects);
  return isMine;
}

/** Returns whether packs of a later step are listed. */
const isFurther = (published: Published, { packs, replaces }: CompleteMirrorStep): boolean =>
  listedPacks(published).some((name) => !packs.includes(name) && !replaces.includes(name));

/**
 * Returns the state after a step; undefined where the records go further, as what is published may.
 * @throws StoreError where neither what is published nor the records lead there
 */
async function stateAfter(
  objects: ObjectStore,
  record: CompleteMirrorStep,
  published: Published,
): Promise<State | undefined> {
  // A run may have been killed between the two files: the changes apply to the old list and to the new one.
  const before = parseState("\n", published.infoRefs?.text ?? "") ?? noState;
  const state = applyChanges(before, record.head, record.refs);
  if (stateId(state) === record.to) return state;
  const last = await findStep(objects, {});
  if (last?.record.number === record.number && last.record.to === record.to) return last.state;
  if (last && last.record.number > record.number) return undefined;
  throw damaged(
    objects.address(infoRefsName),
    `does not lead to the state ${record.to} of step ${record.number}`,
  );
}

type File = readonly [name: string, text: string, etag: string | undefined];

/** Returns the files that differ from what is published, in the order in which to write them. */
function filesOf(record: CompleteMirrorStep, state: State, { packs, head, infoRefs }: Published): File[] {
  const files = [
    [packsName, packsFile(record.packs), packs],
    [headName, headFile(state), head],
    [infoRefsName, infoRefsFile(state), infoRefs],
  ] as const;
  return files.flatMap(([name, text, old]) => (old?.text === text ? [] : [[name, text, old?.etag] as const]));
}

/** Writes files one after the other. Returns false where one is no longer what it was. */
async function write(objects: ObjectStore, files: readonly File[]): Promise<boolean> {
  const details = { contentType: "text/plain", metadata: {} };
  for (const [name, text, etag] of files) {
    if ((await objects.putIf(name, text, etag, details)) !== undefined) continue;
    // A write is sent again after its answer was lost, and then finds its own first attempt.
    if ((await objects.get(name))?.text !== text) return false;
  }
  return true;
}

const damaged = (what: string, problem: string) =>
  new StoreError(
    "mirror-damaged",
    `${what} ${problem}.`,
    "Nothing was published. Restore it from the bucket's versions; verify shows more.",
  );
