import { recordName } from "../chain/record.ts";
import type { NextPart, Part } from "../config/place.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { isProblem, problem } from "./finding.ts";
import { type MirrorChain, readMirror } from "./mirror-chain.ts";
import { checkLargeFiles } from "./mirror-lfs.ts";
import { checkLocks, extendLocks } from "./mirror-locks.ts";
import { checkContents, checkSizes, choosePart, listPacks, packsOf } from "./mirror-packs.ts";
import { checkPublished } from "./mirror-published.ts";
import { replayMirror } from "./mirror-replay.ts";
import { chooseNextPart } from "./next-part.ts";
import type { OnProgress } from "./read-chain.ts";
import type { Verification } from "./report.ts";

export interface VerifyMirrorOptions {
  readonly replay: boolean;
  /** Which packs to read; all unless set. Everything else is checked each time. */
  readonly part: Part | NextPart | undefined;
  /** To how many days from now locks are extended; undefined to leave them as they are. */
  readonly lockDays: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/**
 * Compares the records, the packs and the published files of a mirror with each other. Extends locks first, so that no
 * damage keeps it from that. @throws StoreError, LimitError
 */
export async function verifyMirror(
  objects: ObjectStore,
  options: VerifyMirrorOptions,
): Promise<Verification> {
  const { onProgress, lockDays } = options;
  const extended = lockDays === undefined ? undefined : await extendLocks(objects, lockDays, onProgress);
  const { part, remember } = await chooseNextPart(objects, options.part);
  const checkFiles = ({ steps, findings }: MirrorChain) => {
    const last = recordName(steps.at(-1)?.number ?? 0);
    return checkPublished(
      objects,
      steps,
      findings.some(({ object }) => object === last),
    );
  };
  let chain = await readMirror(objects, onProgress);
  let published = await checkFiles(chain);
  while (published.some(isProblem)) {
    // A run may have completed a step since, which it has published, or was publishing then.
    const now = await readMirror(objects, onProgress);
    if (now.steps.length === chain.steps.length) break;
    chain = now;
    published = await checkFiles(chain);
  }
  const { steps, records } = chain;
  // After the records, so that every pack that they name must be there.
  const sizes = await listPacks(objects);
  const packs = packsOf(steps);
  const chosen = choosePart(packs, part);
  const stored = [
    ...checkSizes(steps, packs, sizes),
    // A replay reads each pack anyway, and needs every index.
    ...(options.replay
      ? await checkContents(objects, packs, ["index"], sizes, onProgress)
      : await checkContents(objects, chosen, ["index", "pack"], sizes, onProgress)),
  ];
  const files = await checkLargeFiles(objects, steps, part, onProgress);
  const damaged = new Set(stored.filter(isProblem).map(({ object }) => object));
  const isSound = (name: string) => sizes.has(name) && !damaged.has(name);
  const replayed = options.replay ? await replayMirror(objects, steps, chosen, isSound, options) : undefined;
  const lock = extended ?? (await checkLocks(objects, steps.at(-1)?.packs ?? []));
  if (records > 0) await remember(steps.at(-1)?.number ?? 0);
  return {
    findings: [
      ...(records === 0 ? [nothingMirrored(objects.address(""))] : []),
      ...chain.findings,
      ...published,
      ...stored,
      ...files,
      ...(replayed?.findings ?? []),
      ...(lock ? [lock] : []),
    ],
    steps: records,
    packs: packs.length,
    bytes: packs.reduce((sum, { bytes, indexBytes }) => sum + bytes + indexBytes, 0),
    to: steps.at(-1)?.to ?? null,
    part: part ? `${part.number}/${part.of}` : null,
    replayed: replayed?.steps ?? null,
  };
}

const nothingMirrored = (address: string) =>
  problem(
    "nothing-mirrored",
    "_steps/",
    `${address} has no record of a mirror.`,
    "Correct the place, if it is another one. If records were there, restore them from the bucket's versions or a backup.",
  );
